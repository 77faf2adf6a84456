// Starts `lvsc lsp` for policies, and ends it with the window.

const { commands, window, workspace } = require("vscode");
const { LanguageClient } = require("vscode-languageclient/node");

let client;

async function start() {
  const command = workspace.getConfiguration("lvsc").get("path", "lvsc");
  const server = { command, args: ["lsp"] };
  const options = { documentSelector: [{ language: "lvs" }] };
  client = new LanguageClient("lvsc", "lvsc", server, options);
  try {
    await client.start();
  } catch (error) {
    client = undefined;
    window.showErrorMessage(
      `${command} lsp cannot be started: ${error.message}. Install lvsc, or set lvsc.path.`,
    );
  }
}

async function stop() {
  const running = client;
  client = undefined;
  await running?.stop();
}

async function activate(context) {
  const restart = async () => {
    await stop();
    await start();
  };
  context.subscriptions.push(commands.registerCommand("lvsc.restart", restart));
  await start();
}

module.exports = { activate, deactivate: stop };
