use std::fmt;

use flowscope_core::{LinkType, PacketView};

use crate::compile::CompileError;
use crate::expr::Expr;
use crate::program::Program;
#[cfg(feature = "libpcap")]
use crate::tcpdump::TcpdumpError;
use crate::text::ParseExprError;

/// A filter for packets of any link type, compiled for each link type when its first packet arrives.
///
/// Text that [`Expr`] can parse has its meaning there. Other text is compiled by libpcap with the feature
/// `libpcap`, and is an error without it.
///
/// Packets of a link type without a program are refused and counted. Programs are kept for at most 64 link
/// types; packets of further link types are refused and counted too.
///
/// ```
/// use flowscope_filter::Filter;
///
/// let error = Filter::parse("tcp and port 70000").unwrap_err();
/// assert_eq!(error.to_string(), "expected a port number, not `70000` at byte 13");
/// ```
#[derive(Clone, Debug)]
pub struct Filter {
    text: Text,
    programs: Vec<(LinkType, Option<Program>)>,
    unsupported: u64,
}

#[derive(Clone, Debug)]
enum Text {
    Expr(Expr),
    #[cfg(feature = "libpcap")]
    Tcpdump(String),
}

impl Filter {
    /// Parses a filter.
    ///
    /// # Errors
    ///
    /// [`FilterError`].
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        match text.parse::<Expr>() {
            Ok(expr) => Ok(expr.into()),
            #[cfg(feature = "libpcap")]
            Err(error) if error.is_beyond() => {
                crate::tcpdump::check(text)?;
                Ok(Filter::of(Text::Tcpdump(text.to_owned())))
            }
            Err(error) => Err(error.into()),
        }
    }

    fn of(text: Text) -> Self {
        Filter { text, programs: Vec::new(), unsupported: 0 }
    }

    /// Whether the packet matches. Compiles a program on the first packet of each link type.
    pub fn matches(&mut self, view: PacketView<'_>) -> bool {
        let link = view.link();
        let at = match self.programs.iter().position(|(of, _)| *of == link) {
            Some(at) => Some(at),
            None if self.programs.len() < MOST_PROGRAMS => {
                let program = self.compile(link).ok();
                self.programs.push((link, program));
                Some(self.programs.len() - 1)
            }
            None => None,
        };
        match at.and_then(|at| self.programs.get(at)) {
            Some((_, Some(program))) => program.matches(view),
            _ => {
                self.unsupported += 1;
                false
            }
        }
    }

    /// Number of packets refused because their link type has no program.
    #[must_use]
    pub fn unsupported(&self) -> u64 {
        self.unsupported
    }

    /// Whether libpcap compiles the filter.
    #[must_use]
    pub fn is_of_libpcap(&self) -> bool {
        match &self.text {
            Text::Expr(_) => false,
            #[cfg(feature = "libpcap")]
            Text::Tcpdump(_) => true,
        }
    }

    /// Compiles a program for captures of a link type, to run in user space. A program of libpcap does not
    /// see VLAN tags that the capture stripped from the frame.
    ///
    /// # Errors
    ///
    /// [`FilterError`] if there is none.
    pub fn compile(&self, link: LinkType) -> Result<Program, FilterError> {
        match &self.text {
            Text::Expr(expr) => Ok(expr.compile(link)?),
            #[cfg(feature = "libpcap")]
            Text::Tcpdump(text) => Ok(Program::compile_tcpdump(text, link, u32::MAX)?),
        }
    }

    /// Compiles a program to attach to a socket on an interface with link type `link`.
    ///
    /// # Errors
    ///
    /// [`FilterError`] if there is none; in particular if the text was given to libpcap, which has
    /// to open the interface to compile for it, and may not.
    pub fn compile_for_interface(
        &self,
        #[cfg_attr(not(feature = "libpcap"), expect(unused_variables))] interface: &str,
        link: LinkType,
    ) -> Result<Program, FilterError> {
        match &self.text {
            Text::Expr(expr) => Ok(expr.compile(link)?),
            #[cfg(feature = "libpcap")]
            Text::Tcpdump(text) => Ok(Program::compile_for_interface(text, interface)?),
        }
    }
}

impl From<Expr> for Filter {
    fn from(expr: Expr) -> Self {
        Filter::of(Text::Expr(expr))
    }
}

/// A capture has one link type, seldom two. A file cannot make this grow beyond.
const MOST_PROGRAMS: usize = 64;

/// Error parsing or compiling a [`Filter`].
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum FilterError {
    /// The text cannot be parsed.
    Parse(ParseExprError),
    /// The expression cannot be compiled.
    Compile(CompileError),
    /// libpcap cannot compile the text.
    #[cfg(feature = "libpcap")]
    Tcpdump(TcpdumpError),
}

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Parse(error) => error.fmt(f),
            Self::Compile(error) => error.fmt(f),
            #[cfg(feature = "libpcap")]
            Self::Tcpdump(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for FilterError {}

impl From<ParseExprError> for FilterError {
    fn from(error: ParseExprError) -> Self {
        Self::Parse(error)
    }
}

impl From<CompileError> for FilterError {
    fn from(error: CompileError) -> Self {
        Self::Compile(error)
    }
}

#[cfg(feature = "libpcap")]
impl From<TcpdumpError> for FilterError {
    fn from(error: TcpdumpError) -> Self {
        Self::Tcpdump(error)
    }
}

#[cfg(test)]
mod tests {
    use flowscope_core::Timestamp;

    use super::*;

    #[test]
    fn programs_are_made_for_64_link_types() {
        for (others, is_ready) in [(63, true), (64, false)] {
            let mut filter = Filter::parse("tcp or not tcp").unwrap();
            let view = |link| PacketView::new(&[0; 60], link, Timestamp::ZERO);
            for link in 0..others {
                // No link type that is known has such a number.
                assert!(!filter.matches(view(LinkType(40_000 + link))));
            }
            // It has a program, if there is room for it, and needs none more.
            for times in 1..=2 {
                assert_eq!(filter.matches(view(LinkType::ETHERNET)), is_ready);
                let refused = u64::from(others) + if is_ready { 0 } else { times };
                assert_eq!(filter.unsupported(), refused);
            }
        }
    }
}
