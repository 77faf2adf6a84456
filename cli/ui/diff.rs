//! What changes in a text.

use std::time::Duration;

use similar::TextDiff;

/// Time for finding the shortest difference; then a longer one does.
const PATIENCE: Duration = Duration::from_millis(500);

/// A unified diff of a file, as `patch -p0` takes it; nothing where nothing changes.
pub fn unified(path: &str, old: &str, new: &str) -> String {
    let mut diff = TextDiff::configure();
    let diff = diff.timeout(PATIENCE).diff_lines(old, new);
    diff.unified_diff().header(path, path).to_string()
}
