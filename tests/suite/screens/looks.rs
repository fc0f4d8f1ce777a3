//! What holds for every screen, at both sizes: it can be read without colour and in ASCII, and leads everywhere.

use ratatui::style::Color;
use wheelhouse::{
    app::Effect,
    ui::{Depth, Place},
};

use super::{
    cockpit::{Look, looking},
    places::{SCREENS, at},
};

const SIZES: [(u16, u16); 2] = [(80, 24), (200, 50)];

#[test]
fn every_screen_says_the_same_without_colour() {
    let mono = [
        Look { theme: "dark", depth: Depth::Mono, ascii: false },
        Look { theme: "mono", depth: Depth::True, ascii: false },
    ];
    for (name, make) in SCREENS {
        for size in SIZES {
            let coloured = make(size).text();
            for look in mono {
                let c = looking(look, || make(size));
                assert_eq!(c.text(), coloured, "{name} {size:?}");
                for cell in c.buffer().content() {
                    assert_eq!(
                        (cell.fg, cell.bg),
                        (Color::Reset, Color::Reset),
                        "{name}: {:?}",
                        cell.symbol()
                    );
                }
            }
        }
    }
}

#[test]
fn every_screen_can_be_read_in_ascii() {
    let ascii = Look { theme: "dark", depth: Depth::True, ascii: true };
    for (name, make) in SCREENS {
        for size in SIZES {
            let (whole, plain) = (make(size), looking(ascii, || make(size)));
            let text = plain.text();
            assert!(text.is_ascii(), "{name} {size:?}: {text}");
            assert!(
                !text.contains('?') || whole.text().contains('?'),
                "{name}: a sign without its ASCII: {text}"
            );
            let lines = |text: &str| text.lines().filter(|line| !line.trim().is_empty()).count();
            assert_eq!(lines(&text), lines(&whole.text()), "{name} {size:?}: {text}");
            let cursor = |c: &super::cockpit::Cockpit, sign: &str| {
                let buf = c.buffer();
                (0..size.1).filter(|y| buf[(0, *y)].symbol() == sign).collect::<Vec<_>>()
            };
            assert_eq!(cursor(&plain, ">"), cursor(&whole, "›"), "{name} {size:?}: {text}");
        }
    }
}

#[test]
fn every_theme_draws_every_screen() {
    for (theme, _) in wheelhouse::ui::theme::THEMES {
        for depth in [Depth::Mono, Depth::Sixteen, Depth::Palette, Depth::True] {
            let c = looking(Look { theme, depth, ascii: false }, || at((80, 24), "1"));
            assert!(c.text().contains("acme"), "{theme} {depth:?}");
        }
    }
}

#[test]
fn from_every_place_the_way_to_all_others_is_on_the_screen() {
    for keys in ["1", "1 enter", "1 h", "2", "2 enter", "3", "4", "4 tab", "4 enter", "5", "W"] {
        for size in SIZES {
            let mut c = at(size, keys);
            // What was said is gone.
            c.wait(30_000);
            let text = c.text();
            // The way to the headroom of a tenant takes the room of their names: their keys are left.
            let by_key = (keys, size) == ("1 h", SIZES[0]);
            assert_eq!(text.contains(" 1 2 3 4 5  "), by_key, "{keys} {size:?}\n{text}");
            for place in ["1 tenants", "2 nodes", "3 runs", "4 database", "5 "] {
                assert!(by_key || text.contains(place), "{keys} {size:?}: no {place}\n{text}");
            }
            let bar: Vec<_> = text.lines().last().expect("a bar").split_whitespace().collect();
            for key in [":", "m", "?"] {
                assert!(bar.contains(&key), "{keys} {size:?}: no {key}\n{text}");
            }
            let filters = !matches!(c.app.place(), Place::Headroom(_));
            assert_eq!(bar.contains(&"/"), filters, "{keys} {size:?}\n{text}");
        }
    }
}

#[test]
fn a_theme_is_tried_while_it_is_typed_and_kept_when_it_is_chosen() {
    let mut c = at((80, 24), "1");
    let ground = |c: &super::cockpit::Cockpit| c.buffer()[(0, 12)].bg;
    let dark = ground(&c);
    c.keys(": t h e m e space l i g h");
    assert_eq!(ground(&c), dark);
    c.keys("t");
    let light = ground(&c);
    assert_ne!(light, dark, "it is shown before enter");
    c.keys("esc");
    assert_eq!(ground(&c), dark, "esc chooses nothing");
    c.keys(": t h e m e space l i tab");
    assert_eq!(ground(&c), light, "completing shows it too");
    let effects = c.keys("enter");
    let [Effect::KeepTheme { chosen, .. }] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!((chosen.as_str(), ground(&c)), ("light", light));
    c.keys(": t h e m e space n o n e enter");
    assert_eq!(ground(&c), light);
    assert!(c.text().contains("there is no theme `none`"), "{}", c.text());
}
