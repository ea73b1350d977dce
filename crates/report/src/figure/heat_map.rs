//! Heat maps of accuracy matrices: one panel a strategy, all on one scale of colours.

use plotters::chart::ChartBuilder;
use plotters::element::Rectangle;
use plotters::prelude::{ColorMap, ViridisRGB};
use plotters::style::text_anchor::{HPos, VPos};
use plotters::style::{Color, RGBColor, ShapeStyle};

use super::axis::{Axis, Ticks};
use super::canvas::{self, DrawResult, EDGE, Sheet, TEXT, place, px, text, text_width};
use super::curve::Steps;
use super::matrix::{Block, Blocks};
use super::palette::INK;
use crate::error::ReportError;
use crate::label::shortened;

/// The size of a panel, in pixels.
const PANEL: (f64, f64) = (330.0, 352.0);

/// The room in a panel for its name, the axis labels and the gap to the next panel, in pixels.
const ABOVE: f64 = 26.0;
const LEFT: f64 = 42.0;
const BELOW: f64 = 42.0;
const RIGHT: f64 = 14.0;
const GAP: f64 = 16.0;

/// The number of panels side by side.
const MOST_COLUMNS: usize = 3;

/// The most tasks for which cells have room for numbers.
const MOST_NUMBERED: usize = 12;

/// The size of the colour scale below the panels, in pixels.
const SCALE: (f64, f64) = (240.0, 12.0);

/// The height of the band with the colour scale.
const SCALE_BAND: f64 = 46.0;

/// The number of steps of the scale.
const SCALE_STEPS: usize = 60;

/// The colours of text on cells. Cells keep their colours on a dark page, so their text must keep its colours, too. So these two
/// are not in the palette, whose colours change.
const ON_DARK: RGBColor = RGBColor(0xFE, 0xFE, 0xFE);
const ON_LIGHT: RGBColor = RGBColor(0x10, 0x10, 0x10);

/// The figure of these matrices, at least one, as an SVG document.
pub(crate) fn draw(title: &str, matrices: &[Blocks]) -> Result<String, ReportError> {
    let columns = matrices.len().clamp(1, MOST_COLUMNS);
    let rows = matrices.len().div_ceil(columns);
    let panels = (columns as f64 * PANEL.0, rows as f64 * PANEL.1);
    canvas::draw(title, (panels.0, panels.1 + SCALE_BAND), true, |sheet| {
        let (upper, lower) = sheet.split_vertically(px::<i32>(panels.1));
        for (panel, matrix) in upper.split_evenly((rows, columns)).iter().zip(matrices) {
            draw_panel(panel, matrix)?;
        }
        draw_scale(&lower)
    })
}

fn draw_panel(panel: &Sheet<'_>, matrix: &Blocks) -> DrawResult {
    let side = matrix.devices as f64;
    let ticks = Ticks::whole(matrix.devices, if matrix.devices <= MOST_NUMBERED { MOST_NUMBERED } else { 5 });
    let across = Axis::new(0.5..side + 0.5, ticks.clone());
    let down = Axis::new(side + 0.5..0.5, ticks);
    let (across_title, down_title) = match matrix.steps {
        Steps::Devices => ("task", "after device"),
        Steps::Arrivals | Steps::Rounds => ("task, by arrival", "after arrival"),
    };
    let mut chart = ChartBuilder::on(panel)
        .margin_left(px::<i32>(EDGE))
        .margin_top(px::<i32>(ABOVE))
        .margin_right(px::<i32>(RIGHT))
        .margin_bottom(px::<i32>(GAP))
        .x_label_area_size(px::<i32>(BELOW))
        .y_label_area_size(px::<i32>(LEFT))
        .build_cartesian_2d(across, down)?;
    chart
        .configure_mesh()
        .disable_mesh()
        .axis_style(ShapeStyle { color: INK.to_rgba(), filled: false, stroke_width: px(1.0) })
        .set_all_tick_mark_size(px::<i32>(3.0))
        .label_style(text(TEXT - 1.0, INK, HPos::Center, VPos::Center))
        .axis_desc_style(text(TEXT, INK, HPos::Center, VPos::Center))
        .x_desc(across_title)
        .y_desc(down_title)
        .draw()?;

    for block in &matrix.blocks {
        let ((top, bottom), (left, right)) = (block.devices, block.tasks);
        let corners = [(left as f64 - 0.5, top as f64 - 0.5), (right as f64 + 0.5, bottom as f64 + 0.5)];
        chart.draw_series([Rectangle::new(corners, colour(block.accuracy).filled())])?;
    }
    draw_name(panel, &matrix.name)?;

    if matrix.devices <= MOST_NUMBERED {
        for block in &matrix.blocks {
            let (device, task) = (block.devices.0 as f64, block.tasks.0 as f64);
            let style = text(number_size(matrix.devices), ink(block.accuracy), HPos::Center, VPos::Center);
            panel.draw_text(&number(block), &style, place(panel, &chart, (task, device)))?;
        }
    }
    Ok(())
}

/// Draws the name of the strategy above its panel, as far as it fits.
fn draw_name(panel: &Sheet<'_>, name: &str) -> DrawResult {
    let room = PANEL.0 - EDGE - LEFT - RIGHT;
    let longest = (room / text_width("x", TEXT + 1.0)) as usize;
    let style = text(TEXT + 1.0, INK, HPos::Left, VPos::Center);
    panel.draw_text(&shortened(name, longest), &style, (px(EDGE + LEFT), px(ABOVE / 2.0)))
}

/// Draws the colours from 0 to 100 %, with their numbers.
fn draw_scale(sheet: &Sheet<'_>) -> DrawResult {
    let at = |share: f64, down: f64| -> (i32, i32) { (px(EDGE + LEFT + share * SCALE.0), px(6.0 + down)) };
    for step in 0..SCALE_STEPS {
        let (from, to) = (step as f64 / SCALE_STEPS as f64, (step + 1) as f64 / SCALE_STEPS as f64);
        let style = colour((from + to) / 2.0).filled();
        sheet.draw(&Rectangle::new([at(from, 0.0), at(to, SCALE.1)], style))?;
    }
    for percent in [0, 25, 50, 75, 100] {
        let style = text(TEXT - 1.0, INK, HPos::Center, VPos::Top);
        sheet.draw_text(&percent.to_string(), &style, at(f64::from(percent) / 100.0, SCALE.1 + 5.0))?;
    }
    let style = text(TEXT, INK, HPos::Left, VPos::Center);
    sheet.draw_text("accuracy (%)", &style, at(1.0 + 16.0 / SCALE.0, SCALE.1 / 2.0 + 0.5))
}

/// Viridis: perceptually uniform, also for the colour-blind and in grey.
fn colour(accuracy: f64) -> RGBColor {
    ViridisRGB.get_color(accuracy)
}

/// The colour of text that is readable on this colour.
fn ink(accuracy: f64) -> RGBColor {
    if accuracy < 0.6 { ON_DARK } else { ON_LIGHT }
}

/// Whole percent. The files have more digits.
fn number(block: &Block) -> String {
    format!("{:.0}", block.accuracy * 100.0)
}

/// The size of text at which `100` fits into a cell, in pixels.
fn number_size(devices: usize) -> f64 {
    let cell = (PANEL.0 - EDGE - LEFT - RIGHT) / devices.max(1) as f64;
    (cell / 2.2).clamp(8.0, TEXT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix(devices: usize, side: usize) -> Blocks {
        let block = |device: usize, task: usize| Block {
            devices: (device, (device + side - 1).min(devices)),
            tasks: (task, (task + side - 1).min(devices)),
            accuracy: 0.5,
            seeds: 1,
        };
        let starts = || (1..=devices).step_by(side);
        let blocks = starts()
            .flat_map(|device| starts().filter(move |task| *task <= device).map(move |task| block(device, task)));
        Blocks { name: "<a & b>".into(), steps: Steps::Devices, devices, side, blocks: blocks.collect() }
    }

    #[test]
    fn a_small_matrix_has_its_numbers_and_its_name() {
        let svg = draw("t", &[matrix(2, 1)]).expect("draws");
        assert_eq!(svg.matches(">\n50\n<").count(), 3 + 1, "three cells and the scale");
        assert!(svg.contains("&lt;a &amp; b&gt;"), "{svg}");
    }

    #[test]
    fn axes_say_in_which_order_devices_count() {
        let in_order = draw("t", &[matrix(2, 1)]).expect("draws");
        assert!(in_order.contains("after device") && !in_order.contains("arrival"), "{in_order}");
        let shuffled = Blocks { steps: Steps::Arrivals, ..matrix(2, 1) };
        let shuffled = draw("t", &[shuffled]).expect("draws");
        assert!(shuffled.contains("after arrival") && shuffled.contains("task, by arrival"), "{shuffled}");
    }

    #[test]
    fn a_large_matrix_has_no_numbers_and_bounded_size() {
        let svg = draw("t", &vec![matrix(1000, 25); 25]).expect("draws");
        assert_eq!(svg.matches(">\n50\n<").count(), 1, "only the scale's");
        assert!(svg.len() < 4_000_000, "{}", svg.len());
    }

    #[test]
    fn text_can_be_read_on_every_cell() {
        // WCAG's contrast of large text.
        for percent in 0..=100 {
            let accuracy = f64::from(percent) / 100.0;
            let (cell, text) = (luminance(colour(accuracy)), luminance(ink(accuracy)));
            let contrast = (cell.max(text) + 0.05) / (cell.min(text) + 0.05);
            assert!(contrast >= 3.0, "{percent} %: {contrast}");
        }
    }

    /// Relative luminance, as WCAG 2 defines it.
    fn luminance(RGBColor(r, g, b): RGBColor) -> f64 {
        let linear = |value: u8| {
            let value = f64::from(value) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b)
    }
}
