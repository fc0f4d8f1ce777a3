//! Themes: roles by meaning, their styles from a TOML file, reduced to what the terminal can show.
//!
//! The only file that names a colour. Code asks for `theme.style(Role::Warn)`; a theme says what that looks like in
//! true colour, 256 and 16 colours; without colour only modifiers are left, never a foreground or a background.

use std::collections::BTreeMap;

use ratatui::style::{Color, Modifier, Style};
use serde::Deserialize;

/// What a piece of the screen means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Everything that is not said otherwise, with the ground of the screen.
    Text,
    /// Normal, hence of little interest.
    Muted,
    /// Only there to hold the place: dots, rules, empty bars.
    Faint,
    /// Names of columns and sections.
    Title,
    /// What the eye should find on a calm screen.
    Accent,
    /// A key that can be pressed.
    Key,
    /// The header and the key bar.
    Bar,
    /// The ground of an overlay.
    Panel,
    /// The edge of an overlay.
    Border,
    /// The row the next key is about.
    Selection,
    /// All is well.
    Ok,
    /// The next failure does harm.
    Warn,
    /// Users see errors now.
    Danger,
    /// Under way.
    Busy,
    /// What a plan changes.
    Changed,
    /// The 1st, 5th … of things told apart by colour alone, such as the pods of a log.
    Series1,
    /// The 2nd, 6th …
    Series2,
    /// The 3rd, 7th …
    Series3,
    /// The 4th, 8th …
    Series4,
}

/// All roles with the names they have in theme files, and the role a theme may leave to stand for it.
pub const ROLES: [(Role, &str, Option<Role>); 19] = [
    (Role::Text, "text", None),
    (Role::Muted, "muted", Some(Role::Text)),
    (Role::Faint, "faint", Some(Role::Muted)),
    (Role::Title, "title", Some(Role::Muted)),
    (Role::Accent, "accent", Some(Role::Text)),
    (Role::Key, "key", Some(Role::Accent)),
    (Role::Bar, "bar", Some(Role::Text)),
    (Role::Panel, "panel", Some(Role::Text)),
    (Role::Border, "border", Some(Role::Accent)),
    (Role::Selection, "selection", Some(Role::Bar)),
    (Role::Ok, "ok", Some(Role::Text)),
    (Role::Warn, "warn", Some(Role::Accent)),
    (Role::Danger, "danger", Some(Role::Warn)),
    (Role::Busy, "busy", Some(Role::Accent)),
    (Role::Changed, "changed", Some(Role::Accent)),
    (Role::Series1, "series-1", Some(Role::Muted)),
    (Role::Series2, "series-2", Some(Role::Muted)),
    (Role::Series3, "series-3", Some(Role::Muted)),
    (Role::Series4, "series-4", Some(Role::Muted)),
];

/// The themes that come with the program: name and file.
pub const THEMES: [(&str, &str); 7] = [
    ("dark", include_str!("../../themes/dark.toml")),
    ("light", include_str!("../../themes/light.toml")),
    ("contrast", include_str!("../../themes/contrast.toml")),
    ("safe", include_str!("../../themes/safe.toml")),
    ("ember", include_str!("../../themes/ember.toml")),
    ("mono", include_str!("../../themes/mono.toml")),
    ("plain", include_str!("../../themes/plain.toml")),
];

/// How many colours the terminal shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// None: modifiers only.
    Mono,
    /// The sixteen the terminal's own palette has.
    Sixteen,
    /// The 256 of xterm.
    Palette,
    /// All.
    #[default]
    True,
}

impl Depth {
    /// What the environment says: `NO_COLOR` (not empty), `COLORTERM`, `TERM`. Source: no-color.org, and the names
    /// terminals use for themselves.
    pub fn detect(no_color: Option<&str>, colorterm: Option<&str>, term: Option<&str>) -> Self {
        let term = term.unwrap_or("");
        if no_color.is_some_and(|v| !v.is_empty()) || matches!(term, "" | "dumb") || term.ends_with("-m") {
            Self::Mono
        } else if matches!(colorterm, Some("truecolor" | "24bit")) || term.ends_with("-direct") {
            Self::True
        } else if term.contains("256") || ["alacritty", "kitty", "ghostty", "foot"].contains(&term) {
            Self::Palette
        } else if matches!(term, "vt100" | "vt102" | "vt220") {
            Self::Mono
        } else {
            Self::Sixteen
        }
    }
}

/// Whether the terminal shows ASCII only: by the first of `LC_ALL`, `LC_CTYPE` and `LANG` that is set and not empty,
/// as `setlocale` reads them. Where none is set, terminals of today show UTF-8.
pub fn is_ascii_only(lc_all: Option<&str>, lc_ctype: Option<&str>, lang: Option<&str>) -> bool {
    let locale = [lc_all, lc_ctype, lang].into_iter().flatten().find(|value| !value.is_empty());
    locale.is_some_and(|locale| {
        let charset = locale.to_ascii_lowercase();
        !charset.contains("utf-8") && !charset.contains("utf8")
    })
}

/// The styles of all roles, as this terminal can show them.
#[derive(Clone, Debug, PartialEq)]
pub struct Theme {
    name: String,
    styles: [Style; ROLES.len()],
    ascii: bool,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    /// The theme whose palette and roles stand where this one says nothing.
    inherits: Option<String>,
    palette: BTreeMap<String, Paint>,
    roles: BTreeMap<String, Ink>,
}

/// `"#rrggbb"`, a name of the sixteen, or both: `["#rrggbb", "red"]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Paint {
    One(String),
    Both([String; 2]),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Ink {
    Fg(String),
    Full(Full),
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Full {
    fg: Option<String>,
    bg: Option<String>,
    /// `bold dim italic underlined reverse`.
    modifiers: Vec<String>,
    /// The modifiers where there are fewer than 256 colours, when they differ.
    plain: Option<Vec<String>>,
}

impl Theme {
    /// The theme of that name among `own` (name and file of each, the user's) and those that come with the program.
    /// The error names the theme, the place and what to do.
    ///
    /// # Errors
    /// The theme is not known, or its file is not understood: one sentence.
    pub fn load(name: &str, own: &[(String, String)], depth: Depth) -> Result<Self, String> {
        let mut file = read(name, own)?;
        let mut ancestors = vec![name.to_owned()];
        while let Some(parent) = file.inherits.take() {
            // A theme that inherits its own name means the one that comes with the program.
            let of: &[_] = if ancestors.contains(&parent) { &[] } else { own };
            if ancestors.len() > 8 {
                return Err(format!("theme `{name}` inherits in a circle; cut it at `{parent}`"));
            }
            let base = read(&parent, of)?;
            for (key, paint) in base.palette {
                file.palette.entry(key).or_insert(paint);
            }
            for (key, ink) in base.roles {
                file.roles.entry(key).or_insert(ink);
            }
            file.inherits = base.inherits;
            ancestors.push(parent);
        }
        if let Some(unknown) = file.roles.keys().find(|role| !ROLES.iter().any(|(_, n, _)| n == role)) {
            let known: Vec<_> = ROLES.iter().map(|(_, n, _)| *n).collect();
            return Err(format!("theme `{name}` has a role `{unknown}`; the roles are {}", known.join(" ")));
        }
        let mut styles = [Style::new(); ROLES.len()];
        for (i, (_, role, fallback)) in ROLES.iter().enumerate() {
            styles[i] = match (file.roles.get(*role), fallback) {
                (Some(ink), _) => style(ink, &file.palette, depth)
                    .map_err(|e| format!("theme `{name}`, role `{role}`: {e}"))?,
                (None, Some(fallback)) => styles[*fallback as usize],
                (None, None) => Style::new(),
            };
        }
        Ok(Self { name: name.to_owned(), styles, ascii: false })
    }

    /// The names of all themes: the user's and those that come with the program.
    pub fn names(own: &[(String, String)]) -> Vec<String> {
        let built_in = THEMES.iter().map(|(name, _)| (*name).to_owned());
        let mut names: Vec<_> = own.iter().map(|(name, _)| name.clone()).chain(built_in).collect();
        names.sort();
        names.dedup();
        names
    }

    /// The same theme for a terminal that shows ASCII only, or all letters.
    pub fn ascii(self, ascii: bool) -> Self {
        Self { ascii, ..self }
    }

    /// The terminal shows ASCII only.
    pub fn is_ascii(&self) -> bool {
        self.ascii
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The style of a role.
    pub fn style(&self, role: Role) -> Style {
        self.styles[role as usize]
    }
}

fn read(name: &str, own: &[(String, String)]) -> Result<File, String> {
    let text = own
        .iter()
        .find(|(n, _)| n == name)
        .map(|(_, text)| text.as_str())
        .or_else(|| THEMES.iter().find(|(n, _)| *n == name).map(|(_, text)| *text))
        .ok_or_else(|| format!("there is no theme `{name}`; there are {}", Theme::names(own).join(" ")))?;
    toml::from_str(text)
        .map_err(|e| format!("theme `{name}`: {}", e.to_string().trim_end().replace('\n', " ")))
}

fn style(ink: &Ink, palette: &BTreeMap<String, Paint>, depth: Depth) -> Result<Style, String> {
    let full = match ink {
        Ink::Fg(fg) => Full { fg: Some(fg.clone()), ..Full::default() },
        Ink::Full(full) => full.clone(),
    };
    let mut style = Style::new();
    if depth > Depth::Mono {
        if let Some(fg) = &full.fg {
            style.fg = Some(colour(fg, palette, depth)?);
        }
        if let Some(bg) = &full.bg {
            style.bg = Some(colour(bg, palette, depth)?);
        }
    }
    let few = depth <= Depth::Sixteen;
    for word in full.plain.as_ref().filter(|_| few).unwrap_or(&full.modifiers) {
        style = style.add_modifier(match word.as_str() {
            "bold" => Modifier::BOLD,
            "dim" => Modifier::DIM,
            "italic" => Modifier::ITALIC,
            "underlined" => Modifier::UNDERLINED,
            "reverse" => Modifier::REVERSED,
            other => {
                return Err(format!("`{other}` is none of bold dim italic underlined reverse"));
            }
        });
    }
    Ok(style)
}

fn colour(name: &str, palette: &BTreeMap<String, Paint>, depth: Depth) -> Result<Color, String> {
    let paint = palette.get(name).cloned().unwrap_or_else(|| Paint::One(name.to_owned()));
    let (rich, plain) = match paint {
        Paint::One(one) => (one.clone(), one),
        Paint::Both([rich, plain]) => (rich, plain),
    };
    let exact: Color =
        if depth >= Depth::Palette { &rich } else { &plain }.parse().or_else(|_| match plain.as_str() {
            "default" => Ok(Color::Reset),
            _ => {
                Err(format!("`{name}` is neither in the palette nor a colour such as \"#5fb49c\" or \"red\""))
            }
        })?;
    Ok(match (exact, depth) {
        (Color::Rgb(r, g, b), Depth::Palette) => Color::Indexed(nearest(r, g, b)),
        (Color::Rgb(..), Depth::Sixteen) => Color::Reset,
        (colour, _) => colour,
    })
}

/// The nearest of xterm's 6x6x6 cube and its greys.
fn nearest(r: u8, g: u8, b: u8) -> u8 {
    const STEPS: [i32; 6] = [0, 95, 135, 175, 215, 255];
    let step = |v: u8| (0..6).min_by_key(|i| (STEPS[*i as usize] - i32::from(v)).abs()).unwrap_or(0);
    let distance = |x: [i32; 3]| {
        let d = |i: usize, v: u8| (x[i] - i32::from(v)).pow(2);
        d(0, r) + d(1, g) + d(2, b)
    };
    let cube = [step(r), step(g), step(b)];
    let grey = ((i32::from(r) + i32::from(g) + i32::from(b)) / 3 - 8).clamp(0, 235) / 10;
    let cube_distance = distance(cube.map(|i| STEPS[i as usize]));
    if distance([8 + grey * 10; 3]) < cube_distance {
        (232 + grey.min(23)) as u8
    } else {
        (16 + cube[0] * 36 + cube[1] * 6 + cube[2]) as u8
    }
}

/// The red, green and blue of a colour, for pictures of a screen; `None` is the terminal's own.
pub fn rgb(colour: Color) -> Option<[u8; 3]> {
    const SIXTEEN: [[u8; 3]; 16] = [
        [0, 0, 0],
        [205, 49, 49],
        [13, 188, 121],
        [229, 229, 16],
        [36, 114, 200],
        [188, 63, 188],
        [17, 168, 205],
        [204, 204, 204],
        [118, 118, 118],
        [241, 76, 76],
        [35, 209, 139],
        [245, 245, 67],
        [59, 142, 234],
        [214, 112, 214],
        [41, 184, 219],
        [255, 255, 255],
    ];
    match colour {
        Color::Rgb(r, g, b) => Some([r, g, b]),
        Color::Indexed(i @ 16..=231) => {
            let step = |n: u8| if n == 0 { 0 } else { 55 + n * 40 };
            let i = i - 16;
            Some([step(i / 36), step(i / 6 % 6), step(i % 6)])
        }
        Color::Indexed(i @ 232..) => Some([8 + (i - 232) * 10; 3]),
        Color::Indexed(i) => Some(SIXTEEN[usize::from(i)]),
        Color::Reset => None,
        named => {
            let order = [
                Color::Black,
                Color::Red,
                Color::Green,
                Color::Yellow,
                Color::Blue,
                Color::Magenta,
                Color::Cyan,
                Color::Gray,
                Color::DarkGray,
                Color::LightRed,
                Color::LightGreen,
                Color::LightYellow,
                Color::LightBlue,
                Color::LightMagenta,
                Color::LightCyan,
                Color::White,
            ];
            order.iter().position(|c| *c == named).map(|i| SIXTEEN[i])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn luminance(colour: Color) -> f64 {
        let [r, g, b] = rgb(colour).expect("a colour").map(|v| {
            let v = f64::from(v) / 255.0;
            if v <= 0.04045 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) }
        });
        0.2126 * r + 0.7152 * g + 0.0722 * b
    }

    fn contrast(a: Color, b: Color) -> f64 {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn text_can_be_read_on_every_ground() {
        for name in ["dark", "light", "contrast", "safe", "ember"] {
            for depth in [Depth::True, Depth::Palette] {
                let theme = Theme::load(name, &[], depth).expect("a theme");
                let ground = |role: Role| theme.style(role).bg.expect("a ground");
                for on in [Role::Text, Role::Bar, Role::Panel, Role::Selection] {
                    for (role, word, _) in ROLES {
                        let Some(fg) = theme.style(role).fg else { continue };
                        // WCAG 2.2: 1.4.3 and 1.4.6 for letters, 1.4.11 for what only holds the place.
                        let faint = matches!(role, Role::Faint | Role::Border);
                        let want = match (name, faint) {
                            ("contrast", false) => 7.0,
                            ("contrast", true) | (_, false) => 4.5,
                            (_, true) => 3.0,
                        };
                        let got = contrast(fg, ground(on));
                        assert!(got >= want, "{name} {depth:?}: {word} on {on:?} has {got:.1}");
                    }
                }
            }
        }
    }

    /// What an eye without the cones for red, or for green, makes of a colour (Viénot, Brettel and Mollon 1999).
    fn seen_by(cones: &str, colour: Color) -> [f64; 3] {
        let [r, g, b] = rgb(colour).expect("a colour").map(|v| (f64::from(v) / 255.0).powf(2.2));
        let (red, green, blue) = match cones {
            "no red" => (0.11238 * r + 0.88762 * g, 0.11238 * r + 0.88762 * g, 0.00401 * r - 0.00401 * g + b),
            _ => (0.29275 * r + 0.70725 * g, 0.29275 * r + 0.70725 * g, -0.02234 * r + 0.02234 * g + b),
        };
        // Into L*a*b*, where distances are what eyes make of them.
        let x = 0.4124 * red + 0.3576 * green + 0.1805 * blue;
        let y = 0.2126 * red + 0.7152 * green + 0.0722 * blue;
        let z = 0.0193 * red + 0.1192 * green + 0.9505 * blue;
        let f = |t: f64| if t > 0.008856 { t.cbrt() } else { 7.787 * t + 16.0 / 116.0 };
        let (fx, fy, fz) = (f(x / 0.9505), f(y), f(z / 1.089));
        [116.0 * fy - 16.0, 500.0 * (fx - fy), 200.0 * (fy - fz)]
    }

    #[test]
    fn eyes_that_do_not_tell_red_from_green_tell_the_states_apart() {
        let least = |name: &str| {
            let theme = Theme::load(name, &[], Depth::True).expect("a theme");
            let states = [Role::Ok, Role::Warn, Role::Danger];
            let mut least = f64::MAX;
            for cones in ["no red", "no green"] {
                let seen = states.map(|role| seen_by(cones, theme.style(role).fg.expect("a colour")));
                for (i, j) in [(0, 1), (0, 2), (1, 2)] {
                    let apart: f64 = (0..3).map(|k| (seen[i][k] - seen[j][k]).powi(2)).sum();
                    least = least.min(apart.sqrt());
                }
            }
            least
        };
        assert!(least("safe") >= 30.0, "{:.0}", least("safe"));
        assert!(least("dark") < 30.0, "the measure tells themes apart: {:.0}", least("dark"));
    }

    #[test]
    fn without_colour_there_are_only_modifiers() {
        for (name, _) in THEMES {
            let theme = Theme::load(name, &[], Depth::Mono).expect("a theme");
            for (role, ..) in ROLES {
                let style = theme.style(role);
                assert_eq!((style.fg, style.bg), (None, None), "{name} {role:?}");
            }
            for role in [Role::Selection, Role::Danger, Role::Key] {
                assert!(!theme.style(role).add_modifier.is_empty(), "{name} {role:?} cannot be told apart");
            }
        }
    }

    #[test]
    fn sixteen_colours_are_the_terminals_own() {
        for (name, _) in THEMES {
            let theme = Theme::load(name, &[], Depth::Sixteen).expect("a theme");
            for (role, ..) in ROLES {
                for colour in [theme.style(role).fg, theme.style(role).bg].into_iter().flatten() {
                    assert!(!matches!(colour, Color::Rgb(..) | Color::Indexed(_)), "{name} {role:?}");
                }
            }
            assert_ne!(theme.style(Role::Danger).fg, theme.style(Role::Ok).fg, "{name}");
        }
    }

    #[test]
    fn a_users_theme_overrides_and_inherits() {
        let mine = "inherits = \"dark\"\n[palette]\nrose = [\"#ff0000\", \"red\"]".to_owned();
        let own = [("dark".to_owned(), mine)];
        let theme = Theme::load("dark", &own, Depth::True).expect("a theme");
        assert_eq!(theme.style(Role::Danger).fg, Some(Color::Rgb(255, 0, 0)));
        let one = |text: &str| [("mine".to_owned(), text.to_owned())];
        for (bad, word) in [
            ("colour = 1", "colour"),
            ("[roles]\nhappy = \"red\"", "happy"),
            ("[roles]\nok = \"greenish\"", "greenish"),
            ("inherits = \"none\"", "none"),
            ("[roles]\nok = { modifiers = [\"loud\"] }", "loud"),
        ] {
            let error = Theme::load("mine", &one(bad), Depth::True).expect_err(bad);
            assert!(error.contains("mine") || error.contains(word), "{error}");
            assert!(error.contains(word) && !error.contains('\n'), "{error}");
        }
        let circle = [
            ("a".to_owned(), "inherits = \"b\"".to_owned()),
            ("b".to_owned(), "inherits = \"a\"".to_owned()),
        ];
        assert!(Theme::load("a", &circle, Depth::True).is_err());
    }

    #[test]
    fn the_locale_says_which_letters_there_are() {
        for (lc_all, lc_ctype, lang, ascii) in [
            (Some("C"), None, Some("en_US.UTF-8"), true),
            (Some(""), None, Some("POSIX"), true),
            (None, Some("de_DE.utf8"), Some("C"), false),
            (None, None, Some("C.UTF-8"), false),
            (None, None, Some("de_DE@euro"), true),
            (None, None, None, false),
        ] {
            assert_eq!(is_ascii_only(lc_all, lc_ctype, lang), ascii, "{lc_all:?} {lc_ctype:?} {lang:?}");
        }
    }

    #[test]
    fn the_environment_says_how_many_colours_there_are() {
        for (no_color, colorterm, term, depth) in [
            (Some("1"), Some("truecolor"), Some("xterm-256color"), Depth::Mono),
            (Some(""), Some("truecolor"), Some("xterm"), Depth::True),
            (None, None, Some("xterm-256color"), Depth::Palette),
            (None, None, Some("linux"), Depth::Sixteen),
            (None, None, Some("vt220"), Depth::Mono),
            (None, None, None, Depth::Mono),
        ] {
            assert_eq!(Depth::detect(no_color, colorterm, term), depth, "{term:?}");
        }
    }
}
