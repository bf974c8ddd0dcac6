//! Ratios as a picture: a row for each figure, a dot for each side, the base at one.

use crate::report::{Aim, Figure, Role};

const WIDTH: f64 = 900.0;
/// Where the axis begins; what was measured is told left of it.
const LEFT: f64 = 400.0;
const RIGHT: f64 = 40.0;
const TOP: f64 = 74.0;
const ROW: f64 = 34.0;
/// The axis in doublings, from a quarter of the base or less to eight times it or more.
const DOUBLINGS: (f64, f64) = (-2.0, 3.0);
const MARKS: [(f64, &str); 6] = [
    (-2.0, "¼"),
    (-1.0, "½"),
    (0.0, "1 = base"),
    (1.0, "2"),
    (2.0, "4"),
    (3.0, "8 ×"),
];

/// Colours that can be read on white and on black, by whichever the reader prefers.
const STYLE: &str = "
    text { font: 13px system-ui, -apple-system, 'Segoe UI', sans-serif; fill: #1f2328; }
    .small { font-size: 11px; fill: #59636e; }
    .title { font-size: 16px; font-weight: 600; }
    .grid { stroke: #d1d9e0; }
    .base { stroke: #59636e; stroke-width: 1.5; }
    .stem { stroke-width: 3; stroke-linecap: round; }
    .ours { fill: #0969da; stroke: #0969da; }
    .second { fill: #8250df; stroke: #8250df; }
    .other { fill: none; stroke: #9a6700; stroke-width: 2; }
    .aim { stroke: #1a7f37; stroke-width: 2; }
    .ground { fill: #ffffff; }
    @media (prefers-color-scheme: dark) {
      text { fill: #f0f6fc; } .small { fill: #9198a1; }
      .grid { stroke: #3d444d; } .base { stroke: #9198a1; }
      .ours { fill: #4493f8; stroke: #4493f8; } .second { fill: #ab7df8; stroke: #ab7df8; }
      .other { stroke: #d29922; } .aim { stroke: #3fb950; } .ground { fill: #0d1117; }
    }";

/// Draws what has a base and an aim.
pub(crate) fn draw(figures: &[Figure]) -> String {
    let has_base = |figure: &&Figure| figure.series.iter().any(|series| series.role == Role::Base);
    let figures: Vec<_> = figures
        .iter()
        .filter(has_base)
        .filter(|figure| figure.aim.is_some())
        .collect();
    let bottom = TOP + ROW * figures.len() as f64;
    let height = bottom + 24.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" \
         aria-label=\"ChatX beside what it is compared with\">\n  <style>{STYLE}\n  </style>\n  \
         <rect class=\"ground\" width=\"{WIDTH}\" height=\"{height}\" rx=\"8\"/>\n"
    );
    svg += &text(
        20.0,
        30.0,
        "title",
        "start",
        "ChatX beside what it is compared with",
    );
    svg += &legend();
    for (doublings, name) in MARKS {
        let x = place(doublings);
        let class = if doublings == 0.0 { "base" } else { "grid" };
        svg += &line(class, (x, TOP - 6.0), (x, bottom));
        svg += &text(x, TOP - 12.0, "small", "middle", name);
    }
    for (number, figure) in figures.into_iter().enumerate() {
        svg += &row(figure, TOP + ROW * (number as f64 + 0.5));
    }
    svg + "</svg>\n"
}

fn row(figure: &Figure, y: f64) -> String {
    let mut svg = text(20.0, y - 1.0, "", "start", &figure.what);
    let base = figure
        .series
        .iter()
        .find(|series| series.role == Role::Base);
    let beside = base.map_or("", |base| &base.side);
    let measured = format!("{}, beside {beside}", figure.measure);
    svg += &text(20.0, y + 12.0, "small", "start", &measured);
    if let Some(Aim::TimesAtMost(times) | Aim::TimesAtLeast(times)) = figure.aim {
        let x = place(times.log2());
        svg += &line("aim", (x, y - 10.0), (x, y + 10.0));
    }
    let mut ours = 0;
    // Ours are drawn last, over the others.
    let mut series: Vec<_> = figure.series.iter().collect();
    series.sort_by_key(|series| series.role == Role::Ours);
    for series in series {
        let Some(ratio) = figure.ratio(series).filter(|_| series.role != Role::Base) else {
            continue;
        };
        let x = place(ratio.log2());
        if series.role == Role::Other {
            svg += &dot("other", x, y, 5.0, &series.side, ratio);
            continue;
        }
        let class = if ours == 0 { "ours" } else { "second" };
        let lift = f64::from(ours) * 9.0 - 4.0;
        svg += &line(
            &format!("stem {class}"),
            (place(0.0), y + lift),
            (x, y + lift),
        );
        svg += &dot(class, x, y + lift, 4.5, &series.side, ratio);
        ours += 1;
    }
    svg
}

fn legend() -> String {
    let mut svg = String::new();
    for (x, class, name) in [
        (430.0, "ours", "chatx"),
        (510.0, "second", "on PostgreSQL"),
        (640.0, "other", "axum + broadcast"),
    ] {
        svg += &format!("  <circle class=\"{class}\" cx=\"{x}\" cy=\"25\" r=\"5\"/>\n");
        svg += &text(x + 11.0, 29.0, "small", "start", name);
    }
    svg += &line("aim", (790.0, 17.0), (790.0, 33.0));
    svg + &text(799.0, 29.0, "small", "start", "aim")
}

/// Where so many doublings are on the axis; what is beyond it is at its end.
fn place(doublings: f64) -> f64 {
    let (least, most) = DOUBLINGS;
    let share = (doublings.clamp(least, most) - least) / (most - least);
    LEFT + share * (WIDTH - LEFT - RIGHT)
}

fn text(x: f64, y: f64, class: &str, anchor: &str, words: &str) -> String {
    let words = words.replace('&', "&amp;").replace('<', "&lt;");
    format!(
        "  <text x=\"{x:.1}\" y=\"{y:.1}\" class=\"{class}\" text-anchor=\"{anchor}\">{words}</text>\n"
    )
}

fn line(class: &str, from: (f64, f64), to: (f64, f64)) -> String {
    format!(
        "  <line class=\"{class}\" x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\"/>\n",
        from.0, from.1, to.0, to.1
    )
}

fn dot(class: &str, x: f64, y: f64, radius: f64, side: &str, ratio: f64) -> String {
    format!(
        "  <circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius}\"><title>{side}: {ratio:.2}</title></circle>\n"
    )
}
