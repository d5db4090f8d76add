//! The curves as a drawing: bytes to the right, nanoseconds for a byte upwards, both logarithmic. A
//! cost that grows as the size does lies flat.

use std::fmt::Write as _;

use super::{Curve, size_name};

const WIDTH: f64 = 880.0;
const HEIGHT: f64 = 440.0;
/// Of what the curves are drawn in: left, right, top, bottom.
const LEFT: f64 = 60.0;
const RIGHT: f64 = 640.0;
const TOP: f64 = 24.0;
const BOTTOM: f64 = 390.0;

/// Powers of ten at both ends of the axes: bytes, nanoseconds.
const BYTES: (i32, i32) = (3, 7);

const COLOURS: [&str; 10] = [
    "#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#7f7f7f",
    "#bcbd22", "#17becf",
];

/// The drawing.
pub fn svg(curves: &[Curve]) -> String {
    let nanos = decades(curves);
    let mut drawing = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <title>CPU time for each byte of a body, by its size</title>\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#fff\"/>\n"
    );
    grid(&mut drawing, nanos);
    for (at, curve) in curves.iter().enumerate() {
        line(&mut drawing, curve, COLOURS[at % COLOURS.len()], nanos);
        name(&mut drawing, curve, COLOURS[at % COLOURS.len()], at);
    }
    drawing + "</svg>\n"
}

/// Powers of ten that hold all that was measured.
fn decades(curves: &[Curve]) -> (i32, i32) {
    let nanos: Vec<f64> =
        curves.iter().flat_map(Curve::by_byte).map(|(_, nanos)| nanos.log10()).collect();
    let least = nanos.iter().copied().fold(f64::INFINITY, f64::min).floor();
    let most = nanos.iter().copied().fold(f64::NEG_INFINITY, f64::max).ceil();
    (least as i32, (most as i32).max(least as i32 + 1))
}

fn grid(drawing: &mut String, nanos: (i32, i32)) {
    let grey = "stroke=\"#ddd\"";
    for power in BYTES.0..=BYTES.1 {
        let (x, text) = (across(10_f64.powi(power)), size_name(10_usize.pow(power as u32)));
        writeln!(drawing, "<path d=\"M{x:.1} {TOP}V{BOTTOM}\" {grey}/>").unwrap();
        writeln!(drawing, "<text x=\"{x:.1}\" y=\"408\" text-anchor=\"middle\">{text}</text>")
            .unwrap();
    }
    for power in nanos.0..=nanos.1 {
        let y = up(10_f64.powi(power), nanos);
        writeln!(drawing, "<path d=\"M{LEFT} {y:.1}H{RIGHT}\" {grey}/>").unwrap();
        let (label, text) = (y + 4.0, 10_f64.powi(power));
        writeln!(drawing, "<text x=\"52\" y=\"{label:.1}\" text-anchor=\"end\">{text}</text>")
            .unwrap();
    }
    writeln!(drawing, "<text x=\"60\" y=\"14\">ns of CPU for each byte</text>").unwrap();
    writeln!(drawing, "<text x=\"640\" y=\"428\" text-anchor=\"end\">bytes of the body</text>")
        .unwrap();
}

fn line(drawing: &mut String, curve: &Curve, colour: &str, nanos: (i32, i32)) {
    let points: Vec<String> = curve
        .by_byte()
        .map(|(bytes, cost)| format!("{:.1},{:.1}", across(bytes as f64), up(cost, nanos)))
        .collect();
    let points = points.join(" ");
    let stroke = format!("stroke=\"{colour}\" stroke-width=\"2\"");
    writeln!(drawing, "<polyline points=\"{points}\" fill=\"none\" {stroke}/>").unwrap();
}

fn name(drawing: &mut String, curve: &Curve, colour: &str, at: usize) {
    let y = 40.0 + 20.0 * at as f64;
    let kind = curve.kind;
    writeln!(drawing, "<path d=\"M660 {y}h24\" stroke=\"{colour}\" stroke-width=\"2\"/>").unwrap();
    writeln!(drawing, "<text x=\"692\" y=\"{}\">{kind}</text>", y + 4.0).unwrap();
}

fn across(bytes: f64) -> f64 {
    LEFT + (RIGHT - LEFT) * share(bytes, BYTES)
}

fn up(nanos: f64, ends: (i32, i32)) -> f64 {
    BOTTOM - (BOTTOM - TOP) * share(nanos, ends)
}

/// Where between two powers of ten.
fn share(figure: f64, (least, most): (i32, i32)) -> f64 {
    (figure.log10() - f64::from(least)) / f64::from(most - least)
}
