//! The results of a run as one self-contained HTML page with plots.

use plotters::{
    coord::Shift,
    drawing::DrawingAreaErrorKind,
    prelude::{
        AreaSeries, BLACK, ChartBuilder, Color, DrawingArea, IntoDrawingArea, IntoLogRange, LineSeries,
        PathElement, RGBColor, SVGBackend, SeriesLabelPosition, WHITE,
    },
};

use super::table::table;
use crate::load::measure::{results::Results, sample::Sample};

const SIZE: (u32, u32) = (760, 300);
const COLOURS: [RGBColor; 3] = [RGBColor(31, 119, 180), RGBColor(214, 92, 30), RGBColor(44, 140, 60)];

type Drawn = Result<(), DrawingAreaErrorKind<std::io::Error>>;
type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// A line of a plot: name and points.
type ChartLine<'a> = (&'a str, Vec<(f64, f64)>);

/// Renders the page.
pub(crate) fn page(results: &Results) -> Result<String, String> {
    let mut plots = String::new();
    for (name, bars) in results.bars.iter().filter(|(_, bars)| bars.iter().any(|(_, count)| *count > 0)) {
        plots.push_str(&plot(&format!("{name}: latency histogram"), |area| histogram(area, bars))?);
    }
    let line = |name, value: fn(&Sample) -> f64| -> ChartLine {
        (name, results.samples.iter().map(|sample| (sample.second, value(sample))).collect())
    };
    let done = [line("operations", |sample| sample.operations_per_second)];
    let delivered = [line("deliveries", |sample| sample.deliveries_per_second)];
    let took = [line("p50", |sample| sample.p50 / 1e3), line("p99", |sample| sample.p99 / 1e3)];
    let cpu = [
        line("server", |sample| sample.server_cpu_percent),
        line("client", |sample| sample.client_cpu_percent),
    ];
    let memory = [line("server", |sample| sample.server_rss_bytes as f64 / f64::from(1 << 20))];
    let all: [(&str, &[ChartLine]); 5] = [
        ("Operations a second", &done),
        ("Deliveries a second", &delivered),
        ("Latency of operations, milliseconds", &took),
        ("CPU, percent of a core", &cpu),
        ("Memory of the server, MiB", &memory),
    ];
    for (title, lines) in all.iter().filter(|(_, lines)| has_any(lines)) {
        plots.push_str(&plot(title, |area| over_time(area, lines))?);
    }
    let settings = serde_json::to_string_pretty(&results.settings).map_err(|error| error.to_string())?;
    let (machine, started) = (&results.machine, &results.started_at);
    let machine_line =
        format!("{started}, {} cores, {}, Linux {}", machine.cores, machine.cpu, machine.kernel);
    Ok(format!(
        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>greenroom load {scenario}</title>\n\
         <style>body{{font:15px/1.5 system-ui,sans-serif;max-width:1000px;margin:2em auto;padding:0 1em}}\
         pre{{overflow-x:auto;background:#f6f6f6;padding:1em}}h2{{font-size:1.1em;margin:2em 0 .3em}}\
         svg{{max-width:100%;height:auto}}</style>\n\
         <h1>greenroom load {scenario}</h1>\n<p>{machine_line}</p>\n<pre>{table}</pre>\n{plots}\
         <h2>Settings</h2>\n<pre>{settings}</pre>\n</html>\n",
        scenario = results.scenario,
        machine_line = escaped(&machine_line),
        table = escaped(&table(results)),
        settings = escaped(&settings),
    ))
}

fn has_any(lines: &[ChartLine]) -> bool {
    lines.iter().any(|(_, points)| points.iter().any(|(_, value)| *value > 0.0))
}

fn plot(title: &str, draw: impl FnOnce(&Area) -> Drawn) -> Result<String, String> {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        draw(&area).and_then(|()| area.present()).map_err(|error| error.to_string())?;
    }
    Ok(format!("<h2>{}</h2>\n{svg}\n", escaped(title)))
}

/// Draws a latency histogram. Both axes are logarithmic, so that rare slow operations remain visible.
fn histogram(area: &Area, bars: &[(f64, u64)]) -> Drawn {
    let seen: Vec<_> = bars.iter().filter(|(_, count)| *count > 0).copied().collect();
    let from = seen.first().map_or(1.0, |(micros, _)| micros / 1.25);
    let to = seen.last().map_or(10.0, |(micros, _)| *micros);
    let most = seen.iter().map(|(_, count)| *count).max().unwrap_or(1) as f64;
    area.fill(&WHITE)?;
    let mut chart =
        ChartBuilder::on(area).margin(8).x_label_area_size(32).y_label_area_size(64).build_cartesian_2d(
            (from / 1e3..to.max(from * 1.5) / 1e3).log_scale(),
            (0.5..most * 1.5).log_scale(),
        )?;
    chart.configure_mesh().x_desc("milliseconds").light_line_style(WHITE).draw()?;
    chart.draw_series(AreaSeries::new(steps(&seen), 0.5, COLOURS[0].mix(0.3)).border_style(COLOURS[0]))?;
    Ok(())
}

/// Returns the outline of the bars.
fn steps(bars: &[(f64, u64)]) -> Vec<(f64, f64)> {
    let mut points = Vec::new();
    for (micros, count) in bars {
        points.push((micros / 1.25 / 1e3, *count as f64));
        points.push((micros / 1e3, *count as f64));
    }
    points
}

fn over_time(area: &Area, lines: &[ChartLine]) -> Drawn {
    let points = || lines.iter().flat_map(|(_, points)| points);
    let last = points().map(|(second, _)| *second).fold(0.1, f64::max);
    let most = points().map(|(_, value)| *value).fold(f64::MIN_POSITIVE, f64::max);
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(area)
        .margin(8)
        .x_label_area_size(32)
        .y_label_area_size(64)
        .build_cartesian_2d(0.0..last, 0.0..most * 1.1)?;
    chart.configure_mesh().x_desc("seconds").light_line_style(WHITE).draw()?;
    for ((name, points), colour) in lines.iter().zip(COLOURS) {
        chart
            .draw_series(LineSeries::new(points.iter().copied(), colour.stroke_width(2)))?
            .label(*name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], colour));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK.mix(0.3))
        .draw()?;
    Ok(())
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
