//! The sheet as text, for paper and the command line.

use std::fmt;

use super::{Case, Sheet};

impl fmt::Display for Sheet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let title = match self.case {
            Case::Primary => "a primary component exists",
            Case::Split => "there are two primary components",
            Case::Reformed => "the cluster re-formed without a known position",
            Case::NoQuorum => "members answer, none has a quorum",
            Case::AllDown => "no member answers",
        };
        writeln!(f, "RECOVERY SHEET: {title}")?;
        writeln!(f, "Nothing here has been run. Read all of it first.\n")?;
        writeln!(f, "EVIDENCE")?;
        for e in &self.evidence {
            let position = match (e.position(), &e.said) {
                (Some(position), _) => position.to_string(),
                (None, _) if e.is_empty() => "nothing to go on from".into(),
                (None, Some(said)) => format!("position not known (at least {said} before it fell silent)"),
                (None, None) => "position not known".into(),
            };
            let safe = match e.saved.as_ref().and_then(|s| s.safe_to_bootstrap) {
                Some(true) => ", safe_to_bootstrap: 1",
                _ => "",
            };
            let address = if *e.label == *e.name.as_str() { String::new() } else { format!(" ({})", e.name) };
            writeln!(f, "  {}{address}: {}, {position}{safe}", e.label, e.state)?;
            match &e.answers {
                Err(why) => writeln!(f, "      {why}")?,
                Ok(()) if e.saved.is_some() => {
                    writeln!(
                        f,
                        "      it answers: what it says itself counts, what was fed of its disk is not used"
                    )?;
                }
                Ok(()) => {}
            }
        }
        let proven = match (&self.verdict.member, self.verdict.proven) {
            (None, _) => "",
            (Some(_), true) => " (proven by the evidence above)",
            (Some(_), false) => " (NOT PROVEN)",
        };
        writeln!(f, "\nMOST ADVANCED\n  {}{proven}", self.verdict.reason)?;
        if !self.unproven.is_empty() {
            writeln!(f, "\nNOT PROVEN")?;
            for line in &self.unproven {
                writeln!(f, "  - {line}")?;
            }
        }
        if !self.steps.is_empty() {
            writeln!(f, "\nSTEPS, in this order")?;
            for (number, step) in self.steps.iter().enumerate() {
                writeln!(f, "  {}. on {}: {}", number + 1, step.on, step.what)?;
                writeln!(f, "       {}", step.command)?;
                if let Some(by_hand) = &step.by_hand {
                    writeln!(f, "       by hand: {by_hand}")?;
                }
            }
        }
        Ok(())
    }
}
