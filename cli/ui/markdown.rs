//! A page of the documents, as a terminal shows it.

use super::{HEAD, styled};

/// The page without its marks: headings are bold, policies are set in, links are their words.
pub fn plain(page: &str) -> String {
    let mut text = String::with_capacity(page.len());
    let mut fenced = false;
    for line in page.lines() {
        if line.starts_with("```") {
            fenced = !fenced;
            continue;
        }
        if fenced {
            text.push_str("    ");
            text.push_str(line);
        } else if line.starts_with('#') {
            text.push_str(&styled(HEAD, line.trim_start_matches('#').trim_start()));
        } else {
            push_words(&mut text, line);
        }
        text.truncate(text.trim_end_matches(' ').len());
        text.push('\n');
    }
    text
}

/// `[words](target)` is its words.
fn push_words(text: &mut String, line: &str) {
    let mut rest = line;
    while let Some((before, link)) = rest.split_once('[') {
        let Some((words, behind)) = link.split_once("](") else {
            break;
        };
        let Some((_, after)) = behind.split_once(')') else {
            break;
        };
        text.push_str(before);
        text.push_str(words);
        rest = after;
    }
    text.push_str(rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_gone_and_words_stay() {
        let page =
            "# code\n\nSee [the page](../x.md#y) and `a[1]`.\n\n```lvs\n# [a](b)\n\npass\n```\n";
        let shown = plain(page);
        let bold = styled(HEAD, "code");
        assert_eq!(
            shown,
            format!("{bold}\n\nSee the page and `a[1]`.\n\n    # [a](b)\n\n    pass\n")
        );
    }
}
