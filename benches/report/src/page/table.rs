//! Tables: the first column is words, all others are numbers.

use super::escape;

pub(super) struct Row {
    pub(super) cells: Vec<String>,
    /// Ours, to be seen at once.
    pub(super) ours: bool,
}

pub(super) fn table(heads: &[&str], rows: &[Row]) -> String {
    let head: String = heads.iter().map(|head| format!("<th>{}", escape(head))).collect();
    let body: String = rows
        .iter()
        .map(|row| {
            let cells: String = row.cells.iter().map(|cell| format!("<td>{}", escape(cell))).collect();
            let class = if row.ours { " class=ours" } else { "" };
            format!("<tr{class}>{cells}")
        })
        .collect();
    format!("<div class=wide><table><thead><tr>{head}<tbody>{body}</table></div>")
}
