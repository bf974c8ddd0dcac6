//! What was seen, as a table to read and to paste, as JSON, and as a picture.

use std::{fs, path::Path};

use anyhow::Result;
use serde::Serialize;

use crate::{machine::Machine, picture, side::Side};

/// Everything that one call measured.
#[derive(Serialize)]
pub(crate) struct Report {
    machine: Machine,
    pub(crate) figures: Vec<Figure>,
}

/// One thing that was measured of several sides in turn.
#[derive(Serialize)]
pub(crate) struct Figure {
    /// The part of the benchmark: `fanout`.
    pub(crate) part: &'static str,
    /// Under which circumstances: `1 room × 1,000`.
    pub(crate) what: String,
    /// What of it: `server CPU per delivery`.
    pub(crate) measure: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) series: Vec<Series>,
    pub(crate) aim: Option<Aim>,
}

/// What one side came to, run by run.
#[derive(Clone, Serialize)]
pub(crate) struct Series {
    pub(crate) side: String,
    pub(crate) role: Role,
    pub(crate) runs: Vec<f64>,
}

/// What a side is in a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    Ours,
    /// What the others are compared with.
    Base,
    Other,
}

/// What ours are to keep to.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Aim {
    /// At most so many times the base.
    TimesAtMost(f64),
    /// At least so many times the base.
    TimesAtLeast(f64),
    AtMost(f64),
}

impl Series {
    /// Nothing of a side yet.
    pub(crate) fn of_side(side: &Side) -> Self {
        Self::of(&side.name, side.role, Vec::new())
    }

    pub(crate) fn of(side: impl Into<String>, role: Role, runs: Vec<f64>) -> Self {
        let side = side.into();
        Self { side, role, runs }
    }

    pub(crate) fn median(&self) -> f64 {
        median(&self.runs)
    }
}

impl Figure {
    /// How many times the base a side is: the median of what each run says, because a run's sides share what else the
    /// machine did.
    pub(crate) fn ratio(&self, series: &Series) -> Option<f64> {
        let base = self.series.iter().find(|other| other.role == Role::Base)?;
        let ratios: Vec<_> = series
            .runs
            .iter()
            .zip(&base.runs)
            .map(|(it, base)| it / base)
            .collect();
        (!ratios.is_empty()).then(|| median(&ratios))
    }

    fn row(&self, series: &Series) -> [String; 6] {
        let ratio = self
            .ratio(series)
            .map_or_else(String::new, |ratio| format!("{ratio:.2}"));
        let aim = self.aim.filter(|_| series.role == Role::Ours);
        [
            self.what.clone(),
            self.measure.to_owned(),
            series.side.clone(),
            format!("{} {}", rounded(series.median()), self.unit)
                .trim_end()
                .to_owned(),
            ratio,
            aim.map_or_else(String::new, |aim| aim.text(self.unit)),
        ]
    }
}

impl Aim {
    fn text(self, unit: &str) -> String {
        match self {
            Self::TimesAtMost(times) => format!("≤ {times}"),
            Self::TimesAtLeast(times) => format!("≥ {times}"),
            Self::AtMost(value) => format!("≤ {} {unit}", rounded(value)).trim_end().to_owned(),
        }
    }
}

impl Report {
    pub(crate) fn new(machine: Machine) -> Self {
        Self {
            machine,
            figures: Vec::new(),
        }
    }

    /// Takes what a part has measured, and prints it.
    pub(crate) fn add(&mut self, figures: Vec<Figure>) {
        println!("\n{}", table(&figures));
        self.figures.extend(figures);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.figures.is_empty()
    }

    /// Writes `figures.md`, `figures.json` and `ratios.svg`.
    ///
    /// # Errors
    /// When the directory cannot be written.
    pub(crate) fn write(&self, directory: &Path) -> Result<()> {
        fs::create_dir_all(directory)?;
        let text = format!("{}\n\n{}", self.machine, table(&self.figures));
        fs::write(directory.join("figures.md"), text)?;
        let json = serde_json::to_string_pretty(self)?;
        fs::write(directory.join("figures.json"), json + "\n")?;
        fs::write(directory.join("ratios.svg"), picture::draw(&self.figures))?;
        println!("written to {}", directory.display());
        Ok(())
    }
}

const HEADINGS: [&str; 6] = ["what", "measured", "side", "median", "× base", "aim"];

/// A Markdown table that is aligned for eyes, too.
fn table(figures: &[Figure]) -> String {
    let mut rows = vec![HEADINGS.map(str::to_owned)];
    for figure in figures {
        rows.extend(figure.series.iter().map(|series| figure.row(series)));
    }
    let width = |column: usize| {
        rows.iter()
            .map(|row| row[column].chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<_> = (0..HEADINGS.len()).map(width).collect();
    let mut text = String::new();
    for (number, row) in rows.iter().enumerate() {
        for (cell, width) in row.iter().zip(&widths) {
            text += &format!("| {cell:<width$} ");
        }
        text += "|\n";
        if number == 0 {
            for width in &widths {
                text += &format!("|{}", "-".repeat(width + 2));
            }
            text += "|\n";
        }
    }
    text
}

/// Three digits that count, and no more.
fn rounded(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => {
            let digits = format!("{value:.0}");
            let mut text = String::new();
            for (place, digit) in digits.chars().enumerate() {
                let left = digits.len() - place;
                if place > 0 && left.is_multiple_of(3) && !text.ends_with('-') {
                    text.push(',');
                }
                text.push(digit);
            }
            text
        }
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 1.0 || size == 0.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

/// The middle of figures; 0 of none.
pub(crate) fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len().is_multiple_of(2) && middle > 0 {
        f64::midpoint(sorted[middle - 1], sorted[middle])
    } else {
        sorted.get(middle).copied().unwrap_or_default()
    }
}

/// Of sorted figures; 0 of none.
pub(crate) fn quantile(sorted: &[f64], share: f64) -> f64 {
    let last = sorted.len().saturating_sub(1);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a small whole number"
    )]
    let place = (last as f64 * share).round() as usize;
    sorted.get(place).copied().unwrap_or_default()
}
