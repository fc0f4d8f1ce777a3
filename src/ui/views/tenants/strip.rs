//! The worst findings, above the table, and what each leads to.

use std::borrow::Cow;

use jiff::{SignedDuration, Timestamp};
use ratatui::layout::Rect;

use super::{
    super::{about, age_width, answers, finding_line, is_wide, nothing_wrong, run_sign, side},
    Tenants,
};
use crate::{
    cluster::{Finding, Severity, Subject},
    run::{RunSeen, Shown, campaign::CampaignSeen, summary},
    ui::{
        action::Action,
        command::{self, Command},
        format,
        paint::{Pen, Piece, piece},
        stops::Stop,
        theme::Role,
        view::Cx,
    },
};

/// Lines of the strip on a wide screen, where it stands beside the table.
pub(super) const WIDE: usize = 14;

/// Lines for findings above the table, with the gap below them: it depends on the height alone, so that nothing
/// shifts.
pub(super) fn height(screen: u16) -> u16 {
    match screen {
        ..7 => 0,
        7..10 => 2,
        10..16 => 3,
        16..28 => 5,
        28..40 => 6,
        _ => 8,
    }
}

/// A line of the strip.
enum Line<'a> {
    /// A campaign that is not over.
    Campaign(&'a CampaignSeen),
    /// A run that is not over and belongs to none.
    Run(&'a RunSeen),
    /// A cause, with what follows from it.
    Cause(&'a Finding),
}

impl Line<'_> {
    /// What tells it from the others, as long as it is there.
    fn stop(&self) -> Stop {
        match self {
            Self::Campaign(known) => Stop::Campaign(known.campaign.id.clone()),
            Self::Run(known) => Stop::Run(known.run.id.clone()),
            Self::Cause(finding) => Stop::About(finding.subject.clone()),
        }
    }

    /// Whom it is about, as the screen names it.
    fn name<'n>(&'n self, cx: &'n Cx<'_>, columns: u16) -> Cow<'n, str> {
        match self {
            Self::Campaign(known) => known.campaign.short().into(),
            Self::Run(known) => known.run.short().into(),
            Self::Cause(finding) => about(cx, &finding.subject, columns),
        }
    }

    /// What it says.
    fn text(&self, cx: &Cx<'_>) -> Cow<'_, str> {
        match self {
            Self::Campaign(known) => {
                let (campaign, shown) = (&known.campaign, known.shown());
                let by = match shown {
                    Shown::Running if !campaign.operator.is_empty() => format!(", {}", campaign.operator),
                    _ => String::new(),
                };
                format!("{shown}, {}: {}{by}", campaign.counts().words(), campaign.goal).into()
            }
            Self::Run(known) => {
                let (shown, what) = (known.shown(), summary(&known.run));
                match known.meanwhile(cx.seen).or_else(|| known.open(cx.seen)) {
                    Some(why) => format!("{shown}: {what}: {why}"),
                    None => format!("run of {} {shown}: {what}", known.run.operator),
                }
                .into()
            }
            Self::Cause(finding) => (&*finding.text).into(),
        }
    }

    fn answer(&self, cx: &Cx<'_>) -> Option<(&'static str, Action)> {
        match self {
            Self::Campaign(known) => Some(answers::of_campaign(cx, known)),
            Self::Run(known) => Some(answers::of_run(cx, known)),
            Self::Cause(finding) => answers::of_finding(cx, finding),
        }
    }
}

/// What is unfinished, then the causes of what is wrong, one line each; as many as there are lines.
fn lines<'a>(cx: &Cx<'a>, room: usize) -> Vec<Line<'a>> {
    let campaigns = cx.campaigns.iter().filter(|known| !known.campaign.state.is_over());
    let of_none = |known: &&RunSeen| {
        let of = known.run.campaign.as_ref();
        !known.run.state.is_over()
            && of.is_none_or(|of| {
                let campaign = cx.campaigns.iter().find(|c| c.campaign.id == *of);
                campaign.is_none_or(|c| c.campaign.state.is_over())
            })
    };
    let runs = cx.runs.iter().filter(of_none);
    let mut all: Vec<Line<'_>> = campaigns.map(Line::Campaign).chain(runs.map(Line::Run)).collect();
    // First what has left something open, then what waits for an operator; what is wrong keeps a line at least.
    all.sort_by_key(|line| match line {
        Line::Campaign(known) => (true, !known.wants_an_operator()),
        Line::Run(known) => (known.open(cx.seen).is_none(), !known.wants_an_operator()),
        Line::Cause(_) => (true, true),
    });
    let any = cx.findings.iter().any(|finding| finding.because.is_none());
    all.truncate(room.saturating_sub(usize::from(any)).max(1));
    let mut told: Vec<&Subject> = Vec::new();
    for finding in cx.findings.iter().filter(|finding| finding.because.is_none()) {
        if all.len() >= room {
            break;
        }
        if !told.contains(&&finding.subject) {
            told.push(&finding.subject);
            all.push(Line::Cause(finding));
        }
    }
    all
}

/// The line the answering key is about: the one that the key to the next trouble led to, else the first.
fn current(cx: &Cx<'_>, lines: &[Line<'_>]) -> usize {
    cx.stop.and_then(|stop| lines.iter().position(|line| line.stop() == *stop)).unwrap_or(0)
}

/// The lines that are told on a screen of that size, each as far as there is room for it.
fn told<'a>(cx: &Cx<'a>) -> Vec<Line<'a>> {
    let (columns, height) = cx.size;
    let (width, room) = match is_wide(columns) {
        true => (side(columns), height.min(WIDE as u16)),
        false => (columns, self::height(height).saturating_sub(1)),
    };
    let mut lines = lines(cx, usize::from(room).max(1));
    let shown = Layout::of(cx, &lines, width).heights(cx, &lines, room).len();
    lines.truncate(shown.max(1));
    lines
}

/// Where the parts of the lines stand on a screen of that width.
struct Layout {
    /// Columns of the name.
    name: u16,
    /// Columns of the key and what it does; none where there is little room.
    keys: u16,
    /// Columns of the text: of its first line, and of the others, since age and key stand in the first alone.
    text: [u16; 2],
}

impl Layout {
    fn of(cx: &Cx<'_>, lines: &[Line<'_>], width: u16) -> Self {
        // Where there is little room, what is wrong is worth more than the key that answers it.
        let words = lines.iter().filter_map(|line| line.answer(cx)).map(|(word, _)| format::width(word) + 3);
        let keys = if width < 60 { 0 } else { words.max().unwrap_or(0).max(12) + 1 };
        // As narrow as the names allow: what is wrong has the rest.
        let most = match width {
            ..60 => 10,
            60..100 => 16,
            _ => 22,
        };
        let widest = lines.iter().map(|line| format::width(&line.name(cx, most))).max().unwrap_or(0);
        let name = widest.clamp(8, most);
        let first = width.saturating_sub(1 + keys + 5 + name + age_width(width)).max(1);
        Self { name, keys, text: [first, width.saturating_sub(6 + name).max(1)] }
    }

    fn wrapped(&self, cx: &Cx<'_>, line: &Line<'_>) -> Vec<String> {
        let [first, rest] = self.text;
        format::wrap_in(&format::plain(&line.text(cx)), |line| if line == 0 { first } else { rest })
    }

    /// How many lines each takes of so many. The first one is told whole, but never in the place of the only other; then as
    /// many of the others as there is room for, each whole.
    fn heights(&self, cx: &Cx<'_>, lines: &[Line<'_>], room: u16) -> Vec<u16> {
        let (mut heights, mut taken) = (Vec::new(), 0);
        for (i, line) in lines.iter().enumerate() {
            let others = u16::from(i == 0 && lines.len() > 1);
            let most = room.saturating_sub(taken + others);
            if most == 0 {
                break;
            }
            let wanted = u16::try_from(self.wrapped(cx, line).len()).unwrap_or(u16::MAX);
            heights.push(wanted.clamp(1, most));
            taken += wanted.clamp(1, most);
        }
        heights
    }
}

/// A key that answered a line which is gone answers nothing for so long: who presses it now meant that line.
const EMPTY: SignedDuration = SignedDuration::from_secs(10);

/// For so long after the screen was opened it is still being filled, and the keys follow the order of the lines.
const FILLS: SignedDuration = SignedDuration::from_secs(3);

/// Which line each of the keys of the further lines answers. A line keeps its key as long as it is there, wherever it moves.
#[derive(Debug, Default)]
pub(super) struct Slots {
    places: Vec<Option<Slot>>,
    /// When the screen was opened.
    opened: Option<Timestamp>,
}

#[derive(Debug)]
struct Slot {
    stop: Stop,
    /// Whom the line is about.
    name: String,
    /// Since when it is not among the first lines any more.
    gone: Option<Timestamp>,
}

impl Slots {
    /// Gives a key to each line that has none but the current one, which has a key of its own.
    pub fn settle(&mut self, cx: &Cx<'_>) {
        if cx.seen.is_ready() && cx.now.duration_since(*self.opened.get_or_insert(cx.now)) < FILLS {
            self.places.clear();
        }
        self.places.resize_with(command::of(Command::AnswerLine(0)).keys.len(), || None);
        let lines = told(cx);
        let stops: Vec<_> = lines.iter().map(Line::stop).collect();
        for place in &mut self.places {
            if let Some(slot) = place {
                let there = stops.contains(&slot.stop);
                slot.gone = if there { None } else { slot.gone.or(Some(cx.now)) };
                if slot.gone.is_some_and(|gone| cx.now.duration_since(gone) >= EMPTY) {
                    *place = None;
                }
            }
        }
        let at = current(cx, &lines);
        for (i, stop) in stops.into_iter().enumerate() {
            if i == at || self.of(&stop).is_some() {
                continue;
            }
            let Some(free) = self.places.iter_mut().find(|place| place.is_none()) else { return };
            let name = lines[i].name(cx, 24).into_owned();
            *free = Some(Slot { stop, name, gone: None });
        }
    }

    /// Forgets which key was whose: nobody looks at them.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// The place of a line's key among them.
    fn of(&self, stop: &Stop) -> Option<usize> {
        self.places.iter().position(|place| place.as_ref().is_some_and(|slot| slot.stop == *stop))
    }

    /// What the nth of the keys answers.
    ///
    /// # Errors
    /// It answers nothing now: one sentence.
    pub fn answer(&self, cx: &Cx<'_>, nth: u8) -> Result<Action, String> {
        let slot = self.places.get(usize::from(nth)).and_then(Option::as_ref);
        let slot = slot.ok_or("no line above has that key now")?;
        let lines = told(cx);
        let line = lines.iter().find(|line| line.stop() == slot.stop);
        let line =
            line.ok_or_else(|| format!("the line of {} is gone: that key answers nothing now", slot.name))?;
        let answer = line.answer(cx).map(|(_, does)| does);
        answer.ok_or_else(|| format!("no key answers what is wrong with {}", slot.name))
    }
}

/// What the answering key does now.
pub(super) fn answer(cx: &Cx<'_>) -> Option<(&'static str, Action)> {
    let lines = told(cx);
    lines.get(current(cx, &lines))?.answer(cx)
}

impl Tenants {
    pub(super) fn findings(&self, pen: &mut Pen<'_>, cx: &Cx<'_>, room: u16) {
        if room == 0 {
            return;
        }
        let width = pen.width();
        let mut lines = lines(cx, usize::from(room));
        if lines.is_empty() {
            let area = Rect { height: room.min(pen.area.height), ..pen.area };
            nothing_wrong(&mut pen.within(area), cx);
        }
        let layout = Layout::of(cx, &lines, width);
        let heights = layout.heights(cx, &lines, room);
        lines.truncate(heights.len());
        let at = current(cx, &lines);
        let Layout { name, keys, text: columns } = layout;
        let right = width.saturating_sub(1 + keys);
        let mut y = 0;
        for (i, (line, lines)) in lines.iter().zip(heights).enumerate() {
            let text = format::plain(&line.text(cx)).into_owned();
            let told = layout.wrapped(cx, line);
            match line {
                Line::Campaign(known) => {
                    let shown = known.shown();
                    unfinished(pen, y, (right, name), (&shown, &line.name(cx, name), &text));
                    age(pen, y, right, cx, known.campaign.began());
                }
                Line::Run(known) => {
                    let shown = known.shown();
                    unfinished(pen, y, (right, name), (&shown, &line.name(cx, name), &text));
                    age(pen, y, right, cx, known.run.began());
                }
                Line::Cause(finding) => finding_line(pen, y, right, finding, cx, name),
            }
            if keys > 0 {
                pen.line_right(width - 1, y, keys - 1, &self.label(cx, line, i, at));
            }
            let notice = matches!(line, Line::Cause(finding) if finding.severity == Severity::Notice);
            let tone = if notice { Role::Muted } else { Role::Text };
            more(pen, y, (5 + name, columns), (&told, tone), lines - 1);
            y += lines;
        }
    }
}

impl Tenants {
    /// What answers a line, and the key that does; nothing where nothing does.
    fn label(&self, cx: &Cx<'_>, line: &Line<'_>, i: usize, at: usize) -> Vec<Piece<'static>> {
        let Some((word, _)) = line.answer(cx) else { return Vec::new() };
        let own = own_key(cx, line).or((i == at).then_some(Command::Answer)).map(command::sign);
        let keys = command::of(Command::AnswerLine(0)).keys;
        let key = own.or_else(|| Some(command::key_sign(keys.get(self.slots.of(&line.stop())?)?).into()));
        match key {
            Some(key) => vec![piece(format!("{key} "), Role::Key), piece(word, Role::Muted)],
            None => vec![piece(word, Role::Faint)],
        }
    }
}

/// A key that answers it from any row.
fn own_key(cx: &Cx<'_>, line: &Line<'_>) -> Option<Command> {
    let Line::Cause(finding) = line else { return None };
    let own = answers::own_key(cx, finding);
    own.filter(|own| matches!(own, Command::Rebalance | Command::Recovery))
}

fn age(pen: &mut Pen<'_>, y: u16, right: u16, cx: &Cx<'_>, since: Option<Timestamp>) {
    if age_width(pen.width()) > 0 {
        pen.put_right(right, y, 5, &cx.age_or_dash(since), Role::Muted);
    }
}

fn unfinished(
    pen: &mut Pen<'_>,
    y: u16,
    (right, name): (u16, u16),
    (shown, short, text): (&Shown, &str, &str),
) {
    let (glyph, role) = run_sign(shown);
    pen.put(2, y, 1, glyph, role);
    pen.put(4, y, name, short, Role::Text);
    let x = 5 + name;
    pen.put(x, y, right.saturating_sub(x + age_width(pen.width())), text, Role::Text);
}

/// The further lines of what is said.
fn more(pen: &mut Pen<'_>, y: u16, (x, rooms): (u16, [u16; 2]), (told, tone): (&[String], Role), lines: u16) {
    let [room, rest_room] = rooms;
    if lines == 0 {
        return;
    }
    let Some((first, rest)) = told.split_first() else { return };
    pen.put(x, y, room, &format!("{first:<0$}", usize::from(room)), tone);
    for (i, line) in rest.iter().enumerate().take(usize::from(lines)) {
        // The last line takes what is left, cut if need be.
        let last = i + 1 == usize::from(lines);
        let text = if last { rest[i..].join(" ") } else { line.clone() };
        pen.put(x, y + 1 + i as u16, rest_room, &text, tone);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::Timestamp;
    use ratatui::{buffer::Buffer, layout::Rect};

    use crate::{
        app::{App, Setup},
        cluster::{Member, Observation, Seen, Subject, Trouble, sketch},
    };

    #[test]
    fn a_finding_of_the_database_tells_all_its_words_and_what_is_done_about_it() {
        let now = Timestamp::UNIX_EPOCH;
        let mut seen = sketch("node w1\nnode w2\ntenant acme 2 on w1 w2", now).expect("a sketch");
        let why = "db1:3306 refuses connections: nothing listens there at all";
        let db1 = Member::new("db1:3306".into()).failed(Trouble::Refused, why, now);
        seen.observe(Observation::Member(Seen::All(vec![(db1.name.clone(), db1)], now)));
        let worst =
            crate::cluster::findings(&seen).into_iter().find(|f| matches!(f.subject, Subject::Member(_)));
        let worst = worst.expect("a silent member is a finding");
        let app = App::new(Setup::default(), Arc::new(seen), (80, 50)).expect("a theme");
        let area = Rect::new(0, 0, 80, 50);
        let mut buf = Buffer::empty(area);
        app.draw(&mut buf, now);
        let line = |y: u16| (0..80).map(|x| buf[(x, y)].symbol()).collect::<String>();
        let strip: Vec<_> = (2..12).map(line).collect();
        let at = strip.iter().position(|l| l.contains("db1"));
        let at = at.unwrap_or_else(|| panic!("{strip:#?}"));
        let words = |l: &String| l.chars().skip(13).take(47).collect::<String>().trim().to_owned();
        let said: Vec<_> = strip.iter().skip(at).take(2).map(words).collect();
        assert!(worst.text.chars().count() > 47, "too short to be cut: {}", worst.text);
        assert_eq!(said.join(" "), worst.text, "{strip:#?}");
        assert!(!strip.iter().any(|l| l.contains("go there")), "{strip:#?}");
    }
}
