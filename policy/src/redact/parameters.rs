//! Where a log line tells the values of bind parameters.

/// PostgreSQL's own list, in any language: `$1 = 'a', $2 = NULL`.
const FIRST: &[u8] = b"$1 = ";

/// pgaudit's line: eight columns as CSV, the statement last, and after it the parameters.
const AUDIT: &[u8] = b"AUDIT: ";
const COLUMNS_BEFORE: usize = 8;

/// Where they begin, if the text tells any.
pub fn start(text: &[u8]) -> Option<usize> {
    if text.starts_with(AUDIT) { column(text, COLUMNS_BEFORE) } else { position(text, FIRST) }
}

fn position(text: &[u8], wanted: &[u8]) -> Option<usize> {
    memchr::memmem::find(text, wanted)
}

/// Where a column begins, counted from 0; a comma in double quotes belongs to its column.
fn column(text: &[u8], number: usize) -> Option<usize> {
    let mut quoted = false;
    let commas = text.iter().enumerate().filter(|(_, byte)| {
        quoted ^= **byte == b'"';
        **byte == b',' && !quoted
    });
    number.checked_sub(1).and_then(|before| commas.map(|(place, _)| place + 1).nth(before))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn postgres_lists_them_in_every_language() {
        assert_eq!(start(b"Parameter: $1 = 'a', $2 = 'b'"), Some(11));
        assert_eq!(start(b"SELECT f($1)"), None);
    }

    #[test]
    fn pgaudit_writes_them_behind_the_statement() {
        let line = br#"AUDIT: SESSION,1,1,READ,SELECT,,,"SELECT ""a"", $1","x,y""#;
        assert_eq!(line.get(start(line).unwrap()..).unwrap(), br#""x,y""#);
        assert_eq!(start(b"AUDIT: SESSION,1,1,READ,SELECT,,,SELECT 1"), None);
    }
}
