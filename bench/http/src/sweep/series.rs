//! The shape of a series: what was varied, what was measured, and every round's figure. `sweep` writes it, `report`
//! reads it.

use serde::{Deserialize, Serialize};

use crate::run::ratio::spread;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Series {
    /// Such as `settle-batches`; also the name of the plot's file.
    pub name: String,
    pub title: String,
    /// What was done and how the figures are to be read, in sentences.
    pub about: String,
    /// Name and unit of what was varied.
    pub x_axis: String,
    /// Name and unit of what was measured.
    pub y_axis: String,
    pub lines: Vec<Line>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Line {
    pub name: String,
    /// The server's version, such as `15.14`.
    pub postgres: String,
    pub points: Vec<Point>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Point {
    pub x: f64,
    pub median: f64,
    pub min: f64,
    pub max: f64,
    pub rounds: Vec<f64>,
}

impl Series {
    /// Adds the figure of one round.
    pub fn add(&mut self, name: &str, postgres: &str, x: f64, figure: f64) {
        let points = self.points_of(name, postgres);
        let index = points.iter().position(|point| point.x.total_cmp(&x).is_eq()).unwrap_or_else(|| {
            points.push(Point { x, median: figure, min: figure, max: figure, rounds: Vec::new() });
            points.len() - 1
        });
        let point = &mut points[index];
        point.rounds.push(figure);
        (point.min, point.median, point.max) = spread(&point.rounds);
    }

    fn points_of(&mut self, name: &str, postgres: &str) -> &mut Vec<Point> {
        let index =
            self.lines.iter().position(|line| line.name == name && line.postgres == postgres).unwrap_or_else(|| {
                let (name, postgres) = (name.to_owned(), postgres.to_owned());
                self.lines.push(Line { name, postgres, points: Vec::new() });
                self.lines.len() - 1
            });
        &mut self.lines[index].points
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_of_one_point_gather_under_their_line_and_server() {
        let mut series = Series {
            name: "n".into(),
            title: String::new(),
            about: String::new(),
            x_axis: String::new(),
            y_axis: String::new(),
            lines: Vec::new(),
        };
        for figure in [3.0, 1.0, 2.0] {
            series.add("one worker", "15.14", 10.0, figure);
        }
        series.add("one worker", "15.14", 20.0, 9.0);
        series.add("one worker", "18.4", 10.0, 7.0);
        let found: Vec<_> = series.lines.iter().map(|line| (line.postgres.as_str(), line.points.len())).collect();
        assert_eq!(found, [("15.14", 2), ("18.4", 1)]);
        let point = &series.lines[0].points[0];
        assert_eq!((point.min, point.median, point.max, point.rounds.len()), (1.0, 2.0, 3.0, 3));
    }
}
