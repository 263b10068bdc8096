//! A picture of a run: messages a second above, times on the way below.

use anyhow::{Context, Result};
use plotters::coord::Shift;
use plotters::prelude::*;

use crate::figures::{count, number};
use crate::load::run::Sample;

const SIZE: (u32, u32) = (960, 640);
const PUBLISHED: RGBColor = RGBColor(0x1f, 0x77, 0xb4);
const RECEIVED: RGBColor = RGBColor(0x2c, 0xa0, 0x2c);
const MEDIAN: RGBColor = RGBColor(0x94, 0x67, 0xbd);
const P99: RGBColor = RGBColor(0xd6, 0x27, 0x28);

/// A shorter part of a second tells nothing.
const SHORTEST: f64 = 0.02;

/// One line of a chart.
struct Line {
    name: &'static str,
    colour: RGBColor,
    points: Vec<(f64, f64)>,
}

/// Draws the samples of a run as SVG.
///
/// # Errors
/// There is nothing to draw.
pub fn draw(title: &str, samples: &[Sample]) -> Result<String> {
    let mut picture = String::new();
    {
        let root = SVGBackend::with_string(&mut picture, SIZE).into_drawing_area();
        root.fill(&WHITE)?;
        let root = root.titled(title, ("sans-serif", 18))?;
        let (above, below) = root.split_vertically(SIZE.1 / 2);
        chart(&above, "messages a second", &rates(samples))?;
        chart(&below, "time on the way, in milliseconds", &times(samples))?;
        root.present()?;
    }
    Ok(picture)
}

fn rates(samples: &[Sample]) -> [Line; 2] {
    let (mut published, mut received) = (Vec::new(), Vec::new());
    let mut before = 0.0;
    for sample in samples {
        let at = sample.at.as_secs_f64();
        let span = at - before;
        // The last one may be too short for a rate.
        if span < SHORTEST {
            continue;
        }
        published.push((at, sample.sent as f64 / span));
        received.push((at, sample.arrived as f64 / span));
        before = at;
    }
    [
        Line {
            name: "published",
            colour: PUBLISHED,
            points: published,
        },
        Line {
            name: "arrived",
            colour: RECEIVED,
            points: received,
        },
    ]
}

fn times(samples: &[Sample]) -> [Line; 2] {
    let line = |nanos: fn(&Sample) -> u64| {
        let heard = samples.iter().filter(|sample| sample.p99 > 0);
        heard
            .map(|sample| (sample.at.as_secs_f64(), nanos(sample) as f64 / 1e6))
            .collect()
    };
    [
        Line {
            name: "half within",
            colour: MEDIAN,
            points: line(|it| it.median),
        },
        Line {
            name: "99 % within",
            colour: P99,
            points: line(|it| it.p99),
        },
    ]
}

fn chart(area: &DrawingArea<SVGBackend<'_>, Shift>, what: &str, lines: &[Line]) -> Result<()> {
    let all = || lines.iter().flat_map(|line| &line.points);
    let end = all().map(|point| point.0).fold(0.0, f64::max).max(0.1);
    let top = all().map(|point| point.1).fold(0.0, f64::max).max(1e-3) * 1.1;
    let mut chart = ChartBuilder::on(area)
        .margin(12)
        .margin_right(24)
        .x_label_area_size(36)
        .y_label_area_size(84)
        .build_cartesian_2d(0.0..end, 0.0..top)
        .context("the chart cannot be laid out")?;
    let label = |value: &f64| {
        if *value >= 100.0 {
            count(*value as u64)
        } else {
            number(*value)
        }
    };
    chart
        .configure_mesh()
        .light_line_style(WHITE)
        .x_desc("seconds")
        .y_desc(what)
        .x_label_formatter(&|value| format!("{value:.1}"))
        .y_label_formatter(&label)
        .draw()?;
    for line in lines {
        let colour = line.colour;
        chart
            .draw_series(LineSeries::new(
                line.points.iter().copied(),
                colour.stroke_width(2),
            ))?
            .label(line.name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], colour.stroke_width(2)));
    }
    chart
        .configure_series_labels()
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK.mix(0.3))
        .draw()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_run_becomes_a_picture_and_so_does_one_without_messages() {
        let sample = |tenth: u64, sent| Sample {
            at: Duration::from_millis(100 * tenth),
            sent,
            arrived: sent,
            median: 1_000_000,
            p99: 2_000_000 * sent,
        };
        let samples: Vec<_> = (1..20).map(|n| sample(n, n % 5)).collect();
        for samples in [samples.as_slice(), &[]] {
            let picture = draw("pair: 1 < 2 & \"x\"", samples).unwrap();
            assert!(picture.starts_with("<svg") && picture.trim_end().ends_with("</svg>"));
            assert!(picture.contains("messages a second") && picture.contains("1 &lt; 2 &amp;"));
        }
    }
}
