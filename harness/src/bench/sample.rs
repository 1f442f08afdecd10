//! From rounds to one line of the table.

use std::fmt;

use anyhow::{Result, bail};

use super::measure::{Figure, Measure};

/// Groups of rounds of which each gives one figure, from the medians of its rounds: what disturbs one round, as a
/// neighbour on the same machine does, moves no figure, and what disturbs more shows as spread.
const BLOCKS: usize = 9;

/// What is added to an aim for a ratio where only a clock tells: less than this it cannot tell apart.
pub const BLUR: f64 = 0.02;

/// What one round cost one side.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    /// Seconds that went by.
    pub wall: f64,
    /// Seconds that the server process had a processor.
    pub processor: f64,
    pub statements: usize,
}

/// The median cost of each side.
fn medians(rounds: &[Vec<Cost>], sides: usize, of: fn(&Cost) -> f64) -> Result<Vec<f64>> {
    let median = |side| {
        let costs = rounds.iter().filter_map(|costs| costs.get(side)).map(of);
        Ok(Figures::of(costs.collect())?.median)
    };
    (0..sides).map(median).collect()
}

/// The median of figures, the least and the most.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figures {
    pub median: f64,
    pub least: f64,
    pub most: f64,
}

/// What a measure found.
#[derive(Debug)]
pub struct Outcome {
    name: &'static str,
    figure: Figure,
    aim: f64,
    processor: Figures,
    wall: Figures,
    instructions: Option<f64>,
    /// Microseconds of processor time that a statement takes on each side.
    microseconds: Vec<f64>,
}

impl Outcome {
    /// # Errors
    /// When there is no round, or a round has not the sides that the figure needs.
    pub fn of(measure: &Measure, rounds: &[Vec<Cost>], instructions: Option<&[f64]>) -> Result<Self> {
        let in_blocks = |of: fn(&Cost) -> f64| -> Result<Figures> {
            let blocks = rounds.chunks(rounds.len().div_ceil(BLOCKS).max(1));
            let values = blocks.map(|block| figure(measure.figure, &medians(block, measure.sides.len(), of)?));
            Figures::of(values.collect::<Result<_>>()?)
        };
        Ok(Self {
            name: measure.name,
            figure: measure.figure,
            aim: measure.aim,
            processor: in_blocks(|cost| cost.processor)?,
            wall: in_blocks(|cost| cost.wall)?,
            instructions: instructions.map(|counts| figure(measure.figure, counts)).transpose()?,
            microseconds: medians(rounds, measure.sides.len(), |cost| cost.processor * 1e6 / cost.statements as f64)?,
        })
    }

    /// The line above the table.
    pub fn head() -> String {
        let columns = ["measure", "aim", "instructions", "processor time", "wall clock", "us a statement"];
        let [name, aim, instructions, processor, wall, cost] = columns;
        format!("{name:<34}{aim:>8}{instructions:>14}  {processor:<24}{wall:<24}{cost}")
    }

    /// Whether the aim is met: by instructions where they are counted, else by processor time.
    pub fn is_good(&self) -> bool {
        match (self.figure, self.instructions) {
            (Figure::Ratio, Some(found)) => found <= self.aim,
            (Figure::Ratio, None) => self.processor.median <= self.aim + BLUR,
            (Figure::Added, found) => found.unwrap_or(self.processor.median) >= self.aim,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.figure == Figure::Ratio { "<=" } else { ">=" };
        let aim = format!("{sign} {:.2}", self.aim);
        let instructions = self.instructions.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.3}"));
        let costs: Vec<String> = self.microseconds.iter().map(|cost| format!("{cost:.1}")).collect();
        let (processor, wall) = (self.processor.to_string(), self.wall.to_string());
        write!(
            f,
            "{:<34}{aim:>8}{instructions:>14}  {processor:<24}{wall:<24}{}{}",
            self.name,
            costs.join(" : "),
            if self.is_good() { "" } else { "  missed" }
        )
    }
}

fn figure(figure: Figure, costs: &[f64]) -> Result<f64> {
    match (figure, costs) {
        (Figure::Ratio, [first, second]) => Ok(second / first),
        (Figure::Added, [first, second, third]) => Ok((third - first) / (second - first)),
        _ => bail!("{figure:?} cannot be made of {} sides", costs.len()),
    }
}

impl Figures {
    /// The median with the lower and the upper quartile instead of the least and the most.
    pub fn quartiles_of(mut values: Vec<f64>) -> Result<Self> {
        values.sort_by(f64::total_cmp);
        let at = |quarters: usize| values.get((values.len().saturating_sub(1)) * quarters / 4).copied();
        let (Some(lower), Some(upper)) = (at(1), at(3)) else { bail!("nothing was measured") };
        Ok(Self { least: lower, most: upper, ..Self::of(values)? })
    }

    /// The median, the least and the most.
    pub fn of(mut values: Vec<f64>) -> Result<Self> {
        values.sort_by(f64::total_cmp);
        let (Some(least), Some(most)) = (values.first(), values.last()) else { bail!("nothing was measured") };
        let upper = values.get(values.len() / 2).unwrap_or(most);
        let lower = values.get((values.len() - 1) / 2).unwrap_or(least);
        Ok(Self { median: f64::midpoint(*lower, *upper), least: *least, most: *most })
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3} ({:.3}-{:.3})", self.median, self.least, self.most)
    }
}

#[cfg(test)]
mod tests {
    use super::super::measure::{Length, MEASURES, Setup};
    use super::*;

    fn round(costs: &[f64]) -> Vec<Cost> {
        costs.iter().map(|cost| Cost { wall: *cost, processor: *cost, statements: 1000 }).collect()
    }

    #[test]
    fn the_median_is_the_middle_or_between_the_two() {
        let figures = |values: &[f64]| Figures::of(values.to_vec()).unwrap();
        assert_eq!(figures(&[3.0, 1.0, 2.0]), Figures { median: 2.0, least: 1.0, most: 3.0 });
        assert_eq!(figures(&[4.0, 1.0]).median, 2.5);
        assert!(Figures::of(Vec::new()).is_err());
    }

    #[test]
    fn a_ratio_meets_its_aim_from_below_and_an_addition_from_above() {
        let measure =
            |figure, sides, aim| Measure { name: "m", statements: &["x"], sides, figure, length: Length::Short, aim };
        let ratio = measure(Figure::Ratio, &[Setup::Bare, Setup::Twenty], 1.1);
        let rounds = [round(&[1.0, 1.05]), round(&[1.0, 1.2]), round(&[1.0, 1.0])];
        let outcome = Outcome::of(&ratio, &rounds, None).unwrap();
        assert!(outcome.is_good() && (outcome.processor.median - 1.05).abs() < 1e-9);
        assert!(
            !Outcome::of(&ratio, &rounds, Some(&[1.0, 1.2])).unwrap().is_good(),
            "a count counts more than a clock"
        );
        let added = measure(Figure::Added, &[Setup::Bare, Setup::Twenty, Setup::Triggers], 3.0);
        assert!(Outcome::of(&added, &[round(&[1.0, 1.1, 1.4])], None).unwrap().is_good());
        assert!(!Outcome::of(&added, &[round(&[1.0, 1.2, 1.4])], None).unwrap().is_good());
    }

    #[test]
    fn every_measure_has_the_sides_that_its_figure_needs() {
        for measure in MEASURES {
            let rounds = [round(&vec![1.0; measure.sides.len()])];
            assert!(Outcome::of(measure, &rounds, None).is_ok(), "{}", measure.name);
        }
    }
}
