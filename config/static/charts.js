// Draws a chart from the table in the same figure. The table stays the truth: it holds the numbers, the names of
// the series (its head), the links behind the bars, and is shown again by the button beside the title.

const charts = new Map();
const probe = document.createElement("span");
probe.hidden = true;
document.body.append(probe);

function colour(token) {
  probe.style.color = `var(--${token})`;
  return getComputedStyle(probe).color;
}

function faded(paint, share) {
  return `color-mix(in srgb, ${paint} ${share}%, transparent)`;
}

function read(table) {
  const heads = [...table.tHead.rows[0].cells].filter((cell) => cell.dataset.series);
  const rows = [...table.tBodies[0].rows];
  return {
    labels: rows.map((row) => row.cells[0].dataset.label ?? row.cells[0].textContent.trim()),
    full: rows.map((row) => row.cells[0].textContent.trim()),
    series: heads.map((head) => ({
      name: head.textContent.trim(),
      token: head.dataset.series,
      values: rows.map((row) => Number(row.cells[head.cellIndex].dataset.value)),
      links: rows.map((row) => (row.cells[head.cellIndex].querySelector("a") ?? row.cells[0].querySelector("a"))?.href),
    })),
  };
}

function dataset(series, kind) {
  const paint = colour(series.token);
  const line = kind === "line";
  return {
    label: series.name,
    data: series.values,
    borderColor: paint,
    backgroundColor: line ? faded(paint, 12) : paint,
    borderWidth: line ? 1.6 : 0,
    borderRadius: line ? 0 : 2,
    fill: line,
    pointRadius: 0,
    pointHoverRadius: 4,
    pointHitRadius: 12,
    pointBackgroundColor: paint,
    tension: 0,
    maxBarThickness: 22,
    categoryPercentage: 0.72,
    barPercentage: 0.95,
  };
}

function scales(kind) {
  const ticks = { color: colour("text-muted"), font: { size: 12 }, maxRotation: 0, autoSkipPadding: 16 };
  const numbers = {
    beginAtZero: true,
    border: { display: false },
    grid: { color: colour("line"), tickLength: 0 },
    stacked: kind.startsWith("stack"),
    ticks: { ...ticks, precision: 0, padding: 8, maxTicksLimit: 6 },
  };
  const names = {
    border: { color: colour("line-strong") },
    grid: { display: false },
    stacked: kind.startsWith("stack"),
    ticks: kind === "bars" ? ticks : { ...ticks, autoSkip: false }, // a line names only the beginnings of days
  };
  return kind.endsWith("rows") ? { x: numbers, y: names } : { x: names, y: numbers };
}

function tooltip(data) {
  return {
    backgroundColor: colour("text"),
    titleColor: colour("surface"),
    bodyColor: colour("surface"),
    padding: 10,
    cornerRadius: 4,
    boxPadding: 4,
    callbacks: { title: (items) => data.full[items[0].dataIndex] },
  };
}

function follow(data, chart, points) {
  const point = points[0];
  const link = point && data.series[point.datasetIndex].links[point.index];
  if (link) location.assign(link);
}

function options(kind, data) {
  const sideways = kind.endsWith("rows");
  return {
    animation: false,
    responsive: true,
    maintainAspectRatio: false,
    indexAxis: sideways ? "y" : "x",
    interaction: { mode: kind === "line" ? "index" : "nearest", intersect: false, axis: sideways ? "y" : "x" },
    onClick: (event, points, chart) =>
      follow(data, chart, chart.getElementsAtEventForMode(event, "nearest", { intersect: false }, true)),
    onHover: (event, points) => {
      event.native.target.style.cursor = points.length ? "pointer" : "default";
    },
    plugins: {
      legend: {
        display: data.series.length > 1,
        align: "start",
        labels: { color: colour("text"), boxWidth: 10, boxHeight: 10, padding: 14, font: { size: 12 } },
      },
      tooltip: tooltip(data),
    },
    scales: scales(kind),
  };
}

function draw(figure) {
  const canvas = figure.querySelector("canvas");
  const data = read(figure.querySelector("table"));
  const kind = figure.dataset.chart;
  const drawn = new window.Chart(canvas, {
    type: kind === "line" ? "line" : "bar",
    data: { labels: data.labels, datasets: data.series.map((series) => dataset(series, kind)) },
    options: options(kind, data),
  });
  charts.set(figure, { drawn, data });
}

// --- Keyboard: arrows move from point to point, Enter opens the list behind it ---
function stand(figure, index, seriesIndex) {
  const { drawn, data } = charts.get(figure);
  const active = [{ datasetIndex: seriesIndex, index }];
  drawn.setActiveElements(active);
  drawn.tooltip.setActiveElements(active, { x: 0, y: 0 });
  drawn.update("none");
  const series = data.series[seriesIndex];
  figure.querySelector("output").value = `${data.full[index]}: ${series.name} ${series.values[index]}`;
}

function steer(figure, place, event) {
  const { data } = charts.get(figure);
  const last = data.labels.length - 1;
  const steps = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] };
  if (event.key === "Enter") {
    const link = data.series[place.series].links[place.index];
    if (link) location.assign(link);
    return;
  }
  if (!steps[event.key] || last < 0) return;
  event.preventDefault();
  const [along, across] = figure.dataset.chart.endsWith("rows") ? steps[event.key].reverse() : steps[event.key];
  place.index = Math.min(Math.max(place.index + along, 0), last);
  place.series = Math.min(Math.max(place.series + across, 0), data.series.length - 1);
  stand(figure, place.index, place.series);
}

function canvasFor(figure) {
  const box = document.createElement("div");
  const canvas = document.createElement("canvas");
  box.className = "canvas-box";
  if (figure.dataset.chart.endsWith("rows")) {
    const bars = figure.querySelectorAll("tbody tr").length;
    box.style.height = `${Math.max(140, bars * 30 + 70)}px`;
  }
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", `${figure.querySelector("h2, h3").textContent}. ${figure.dataset.hint}`);
  const place = { index: -1, series: 0 };
  canvas.addEventListener("keydown", (event) => steer(figure, place, event));
  box.append(canvas);
  return box;
}

function enhance(figure) {
  const table = figure.querySelector(".table-box");
  const box = canvasFor(figure);
  const spoken = document.createElement("output");
  spoken.className = "hidden-text";
  table.before(box, spoken);
  const button = figure.querySelector(".toggle-table");
  const show = (asTable) => {
    table.hidden = !asTable;
    box.hidden = asTable;
    button.setAttribute("aria-pressed", String(asTable));
  };
  button.addEventListener("click", () => show(box.hidden === false));
  show(false);
  draw(figure);
}

function redraw() {
  for (const [figure, { drawn }] of charts) {
    drawn.destroy();
    draw(figure);
  }
}

window.Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
document.querySelectorAll("figure[data-chart]").forEach(enhance);
document.addEventListener("themechange", redraw);
