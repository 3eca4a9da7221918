//! Style and script of the page, and the hashes by which its policy allows them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

/// The licence of the chart library, which every copy must have.
pub(super) const UPLOT_LICENCE: &str = include_str!("../../assets/uplot/LICENSE");

/// All of the style.
pub(super) fn style() -> String {
    [
        include_str!("../../assets/uplot/uPlot.min.css"),
        include_str!("../../assets/report.css"),
        include_str!("../../assets/tables.css"),
    ]
    .concat()
}

/// All of the script.
pub(super) fn script() -> String {
    [
        include_str!("../../assets/uplot/uPlot.iife.min.js"),
        "\n",
        include_str!("../../assets/tables.js"),
        include_str!("../../assets/chart.js"),
        include_str!("../../assets/clients.js"),
    ]
    .concat()
}

/// The source expression of a Content Security Policy that allows this text alone (CSP 3 §2.3.1).
pub(super) fn source(text: &str) -> String {
    let mut encoded = [0; 44];
    let len = STANDARD
        .encode_slice(Sha256::digest(text), &mut encoded)
        .expect("32 bytes have 44 characters");
    format!("sha256-{}", String::from_utf8_lossy(&encoded[..len]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_those_of_the_standard() {
        let known = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
        assert_eq!(source(""), known);
    }

    #[test]
    fn nothing_ends_style_or_script_early() {
        let (style, script) = (style().to_lowercase(), script().to_lowercase());
        assert!(
            !style.contains("</style") && !style.contains("@import") && !style.contains("url(")
        );
        assert!(!script.contains("</script") && !script.contains("<!--"));
        for forbidden in ["innerhtml", "outerhtml", "insertadjacenthtml", "document.write", "eval("]
        {
            assert!(!script.contains(forbidden), "{forbidden}");
        }
        assert!(!style.contains('\r') && !script.contains('\r'), "browsers hash line feeds");
    }
}
