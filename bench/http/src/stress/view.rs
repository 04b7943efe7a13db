//! The view of a load in a terminal. It is drawn on stderr, so that stdout stays for the summary.

use std::collections::VecDeque;
use std::io::{Stderr, stderr};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use ratatui::Frame;
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Cell, LineGauge, Paragraph, Row, Sparkline, Table};

use super::progress::{PartNow, Snapshot, Stop};
use super::show::milliseconds;

/// How soon a key is heard.
const KEY_INTERVAL: Duration = Duration::from_millis(100);
/// Seconds that the history keeps: more than a terminal is wide.
const HISTORY_MAX: usize = 512;
const LATE_MS: f64 = 5.0;
const RATES_HEIGHT_MIN: u16 = 3;

/// The terminal, which is given back however the view ends.
struct Screen(Terminal<CrosstermBackend<Stderr>>);

impl Screen {
    fn open() -> std::io::Result<Self> {
        enable_raw_mode()?;
        execute!(stderr(), EnterAlternateScreen)?;
        Ok(Self(Terminal::new(CrosstermBackend::new(stderr()))?))
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // Nothing better can be done where a terminal refuses.
        let _ = self.0.show_cursor();
        let _ = execute!(stderr(), LeaveAlternateScreen);
        let _ = disable_raw_mode();
    }
}

/// Draws every snapshot until the load is over.
pub fn show(snapshots: &Receiver<Snapshot>, stop: &Stop, title: &str) -> anyhow::Result<()> {
    let mut screen = Screen::open()?;
    let mut history = VecDeque::with_capacity(HISTORY_MAX);
    let mut last: Option<Snapshot> = None;
    loop {
        let arrived = match snapshots.recv_timeout(KEY_INTERVAL) {
            Ok(snapshot) => {
                history.truncate(HISTORY_MAX - 1);
                history.push_front(snapshot.parts.iter().map(|part| part.answers_this_second).sum());
                last = Some(snapshot);
                true
            }
            Err(RecvTimeoutError::Timeout) => false,
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        };
        let touched = take_keys(stop)?;
        if let Some(snapshot) = last.as_ref().filter(|_| arrived || touched) {
            screen.0.draw(|frame| draw(frame, snapshot, &history, title))?;
        }
    }
}

/// Whether anything happened that asks for drawing: a key, or another size.
fn take_keys(stop: &Stop) -> std::io::Result<bool> {
    let mut touched = false;
    while event::poll(Duration::ZERO)? {
        touched = true;
        if let Event::Key(key) = event::read()?
            && key.kind == KeyEventKind::Press
            && ends(key)
        {
            stop.press();
        }
    }
    Ok(touched)
}

fn ends(key: KeyEvent) -> bool {
    let interrupt = key.modifiers.contains(KeyModifiers::CONTROL) && key.code == KeyCode::Char('c');
    interrupt || matches!(key.code, KeyCode::Char('q') | KeyCode::Esc)
}

fn draw(frame: &mut Frame<'_>, snapshot: &Snapshot, history: &VecDeque<u64>, title: &str) {
    let rows = u16::try_from(snapshot.parts.len()).unwrap_or(u16::MAX);
    // Head, time, table with its two headings, graph, books, generator and foot leave so much for the outcomes.
    let left = frame.area().height.saturating_sub(1 + 2 + rows + 2 + RATES_HEIGHT_MIN + 3);
    let [head, time, table, outcomes, rates, books, generator, foot] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(2),
        Constraint::Length(rows + 2),
        Constraint::Length(left.min(rows + 2)),
        Constraint::Min(RATES_HEIGHT_MIN),
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    frame.render_widget(Line::from(title.to_owned()).bold(), head);
    draw_time(frame, time, snapshot);
    frame.render_widget(parts(snapshot), table);
    frame.render_widget(what_was_answered(snapshot), outcomes);
    draw_rates(frame, rates, history);
    frame.render_widget(Line::from(users(snapshot)), books);
    frame.render_widget(how_the_generator_does(snapshot), generator);
    let how_to_stop = if snapshot.stopping {
        "ending: waiting for the outcomes of accepted orders · q again leaves at once"
    } else {
        "q or ctrl-c ends early and prints the summary"
    };
    frame.render_widget(Line::from(how_to_stop).dim(), foot);
}

fn draw_time(frame: &mut Frame<'_>, area: Rect, snapshot: &Snapshot) {
    let (elapsed, left) = (snapshot.elapsed.as_secs_f64(), snapshot.left.as_secs_f64());
    let label = match () {
        () if !snapshot.starts_in.is_zero() => format!("starts in {:.1} s", snapshot.starts_in.as_secs_f64()),
        () if left > 0.0 => format!("{elapsed:.0} s, {left:.0} s left"),
        () => format!("{elapsed:.0} s, last answers"),
    };
    let ratio = if snapshot.starts_in.is_zero() { elapsed / (elapsed + left).max(f64::EPSILON) } else { 0.0 };
    let gauge = LineGauge::default()
        .ratio(ratio.clamp(0.0, 1.0))
        .label(label)
        .filled_symbol("━")
        .unfilled_symbol("─")
        .filled_style(Style::new().fg(Color::Cyan));
    frame.render_widget(gauge, Rect { height: 1, ..area });
}

/// Rates, and latencies of the last second and since the start: a row a part.
fn parts(snapshot: &Snapshot) -> Table<'static> {
    let widths = [11, 6, 6, 5, 6, 6, 6, 6, 6, 6, 6].map(Constraint::Length);
    let right = |text: &str| Cell::from(Line::from(text.to_owned()).alignment(Alignment::Right));
    let groups = ["", "", "", "", "", "", "second", "", "", "since", "start"].map(right);
    let names = ["ms", "sent/s", "answ/s", "open", "overd", "p50", "p99", "max", "p50", "p99", "max"];
    let style = Style::new().add_modifier(Modifier::DIM);
    let mut rows = vec![Row::new(names.map(right)).style(style)];
    rows.extend(snapshot.parts.iter().map(part));
    Table::new(rows, widths).header(Row::new(groups).style(style)).column_spacing(1)
}

fn part(part: &PartNow) -> Row<'static> {
    let right = |text: String| Cell::from(Line::from(text).alignment(Alignment::Right));
    let latency = |ms: f64, count: u64| right(if count > 0 { milliseconds(ms) } else { "·".to_owned() });
    let (second, start) = (part.this_second, part.since_start);
    let overdue = Style::new().fg(if part.overdue > 0 { Color::Yellow } else { Color::Reset });
    let row = Row::new([
        Cell::from(part.name),
        right(part.sent_this_second.to_string()),
        right(part.answers_this_second.to_string()),
        right(part.in_flight.to_string()),
        right(part.overdue.to_string()).style(overdue),
        latency(second.p50_ms, part.answers_this_second),
        latency(second.p99_ms, part.answers_this_second),
        latency(second.max_ms, part.answers_this_second),
        latency(start.p50_ms, part.answers),
        latency(start.p99_ms, part.answers),
        latency(start.max_ms, part.answers),
    ]);
    if part.is_running { row } else { row.style(Style::new().add_modifier(Modifier::DIM)) }
}

/// Outcomes since the start, of the parts at work first.
fn what_was_answered(snapshot: &Snapshot) -> Paragraph<'static> {
    let mut parts: Vec<_> = snapshot.parts.iter().filter(|part| part.sent > 0 && part.name != "watch").collect();
    parts.sort_by_key(|part| !part.is_running);
    let mut lines = vec![Line::from("answers since the start").dim()];
    lines.extend(parts.into_iter().map(|part| {
        let mut spans = vec![Span::from(format!("{:<11} ", part.name))];
        for (outcome, count) in &part.outcomes {
            spans.push(Span::styled(format!("{count} × {outcome}  "), Style::new().fg(colour(outcome))));
        }
        Line::from(spans)
    }));
    Paragraph::new(lines)
}

/// Green: as asked for. Yellow: refused by the rules of the sale or shed. Red: should not happen.
fn colour(outcome: &str) -> Color {
    match outcome.as_bytes() {
        [b'2', ..] => Color::Green,
        [b'4', ..] | b"503 unavailable" | b"503" => Color::Yellow,
        _ => Color::Red,
    }
}

fn draw_rates(frame: &mut Frame<'_>, area: Rect, history: &VecDeque<u64>) {
    let max = history.iter().max().copied().unwrap_or_default();
    let [label, graph] = Layout::horizontal([Constraint::Length(12), Constraint::Min(10)]).areas(area);
    let now = history.front().copied().unwrap_or_default();
    let lines = [Line::from("answers/s"), Line::from(format!("max {max}")), Line::from(format!("now {now}"))];
    frame.render_widget(Paragraph::new(lines.to_vec()).dim(), label);
    // The newest second is at the right edge.
    let width = graph.width as usize;
    let shown: Vec<_> = history.iter().take(width).rev().copied().collect();
    let bars = Sparkline::default().data(shown).max(max.max(1)).style(Style::new().fg(Color::Cyan));
    frame.render_widget(bars, graph);
}

fn users(snapshot: &Snapshot) -> String {
    let told = snapshot.told;
    if snapshot.units == 0 {
        return String::new();
    }
    format!(
        "units {} of {} left · users: {} success, {} sold out, {} refused, {} waiting",
        snapshot.units_left,
        snapshot.units,
        told.success,
        told.sold_out + told.failed,
        told.refused,
        told.waiting()
    )
}

fn how_the_generator_does(snapshot: &Snapshot) -> Line<'static> {
    let (late_ms, busy) = (snapshot.generator_late_ms, snapshot.generator_busy * 100.0);
    let text = format!("generator {} ms late (p99), {busy:.0} % of its core", milliseconds(late_ms));
    if late_ms >= LATE_MS { Line::from(text + ": it is a bottleneck").fg(Color::Red) } else { Line::from(text) }
}

#[cfg(test)]
mod tests {
    use ratatui::backend::TestBackend;

    use super::*;
    use crate::stress::ledger::Told;
    use crate::stress::progress::Latency;

    fn snapshot() -> Snapshot {
        let latency = Latency { p50_ms: 1.5, p99_ms: 12.25, max_ms: 1234.0 };
        let part = |name| PartNow {
            name,
            is_running: true,
            holds: false,
            sent: 500,
            answers: 499,
            errors: 0,
            sent_this_second: 300,
            answers_this_second: 299,
            in_flight: 1,
            overdue: 7,
            outcomes: vec![("200".to_owned(), 99), ("400 sold_out".to_owned(), 400)],
            this_second: latency,
            since_start: latency,
        };
        Snapshot {
            elapsed: Duration::from_secs(2),
            starts_in: Duration::ZERO,
            left: Duration::from_secs(8),
            stopping: false,
            parts: ["herd", "look before", "sign in"].map(part).to_vec(),
            told: Told::default(),
            units: 100,
            units_left: 1,
            generator_late_ms: 0.1,
            generator_busy: 0.25,
        }
    }

    #[test]
    fn everything_fits_a_terminal_of_eighty_columns() {
        let mut terminal = Terminal::new(TestBackend::new(80, 24)).unwrap();
        let history = VecDeque::from([299, 100, 0]);
        terminal.draw(|frame| draw(frame, &snapshot(), &history, "herd")).unwrap();
        let screen = terminal.backend().to_string();
        for part in [
            "8 s left",
            "look before",
            "1.2s\"",
            "400 × 400 sold_out",
            "units 1 of 100 left",
            "25 % of its core",
            "q or",
        ] {
            assert!(screen.contains(part), "{part} is not in\n{screen}");
        }
    }
}
