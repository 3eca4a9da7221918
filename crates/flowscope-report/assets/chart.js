// The chart of rates: zooms, and selects the time that tables show.
(function () {
  "use strict";
  const source = document.getElementById("rate-data");
  if (!source) return;
  const { start, step, names, bytes, packets } = JSON.parse(source.textContent);
  const place = document.getElementById("chart");
  const tools = document.getElementById("chart-tools");
  const { element } = Records;
  const length = bytes[0].length;
  const end = length * step;
  // A value lasts until the next one; the last one is there twice.
  const times = Array.from({ length: length + 1 }, (_, at) => at * step);
  const steps = (sums, factor) => sums.map((sum) => [...sum, sum[length - 1]].map((n) => (n * factor) / step));
  const units = {
    bits: { label: "Bits per second", suffix: "bit/s", data: [times, ...steps(bytes, 8)] },
    packets: { label: "Packets per second", suffix: "/s", data: [times, ...steps(packets, 1)] },
  };

  function scaled(n, suffix) {
    let at = 0;
    while (Math.abs(n) >= 999.5 && at < 6) {
      n /= 1000;
      at += 1;
    }
    return `${Number(n.toPrecision(3))} ${["", "k", "M", "G", "T", "P", "E"][at]}${suffix}`;
  }

  function clock(offset, precise) {
    const time = new Date((start + offset) * 1000).toISOString();
    if (end >= 86400) return time.slice(5, precise ? 23 : 19).replace("T", " ");
    return time.slice(11, precise ? 23 : 19);
  }

  const unit = element("select", {}, ...Object.entries(units).map(([value, { label }]) => element("option", { value }, label)));
  const from = element("input", { type: "number", min: 0, max: end, step: "any" });
  const to = element("input", { type: "number", min: 0, max: end, step: "any" });
  const all = element("button", { type: "button", disabled: true }, "Show all");
  tools.append(
    element("label", {}, "Show ", unit),
    element("label", {}, "from second ", from),
    element("label", {}, "to ", to),
    all,
  );
  tools.hidden = false;
  document.getElementById("chart-hint").hidden = false;

  let plot = null;
  let range = null;

  function draw() {
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(name).trim();
    const { suffix, data } = units[unit.value];
    const axis = { stroke: colour("--soft"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line") } };
    const precise = () => (plot ? plot.scales.x.max - plot.scales.x.min : end) < 20;
    const series = names.map((label, at) => ({
      label,
      stroke: colour(`--s${at + 1}`),
      fill: `color-mix(in srgb, ${colour(`--s${at + 1}`)} 14%, transparent)`,
      width: 1.5,
      points: { show: false },
      paths: uPlot.paths.stepped({ align: 1 }),
      value: (_, n) => (n == null ? "–" : scaled(n, suffix)),
    }));
    plot?.destroy();
    plot = null;
    place.replaceChildren();
    plot = new uPlot({
      width: place.clientWidth,
      height: 260,
      padding: [8, 36, 0, 0],
      scales: { x: { time: false, range: (_, low, high) => [Math.max(0, low), Math.min(end, high)] }, y: { range: (_u, _low, high) => [0, high * 1.05 || 1] } },
      cursor: { drag: { x: true, y: false }, y: false },
      axes: [
        { ...axis, space: 90, values: (_, splits) => splits.map((at) => clock(at, precise())) },
        { ...axis, size: 84, values: (_, splits) => splits.map((n) => scaled(n, suffix)) },
      ],
      series: [{ label: "UTC", value: (_, at) => (at == null ? "–" : clock(at, true)) }, ...series],
      hooks: { setScale: [(_, key) => key === "x" && moved()] },
    }, data, place);
    const canvas = place.querySelector("canvas");
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `${units[unit.value].label} over time by transport; the tables have the numbers`);
    if (range) plot.setScale("x", { min: range[0], max: range[1] });
  }

  function moved() {
    if (!plot) return;
    const { min, max } = plot.scales.x;
    const whole = min <= 0 && max >= end;
    range = whole ? null : [min, max];
    all.disabled = whole;
    from.value = Number(min.toFixed(6));
    to.value = Number(max.toFixed(6));
    Records.setRange(range);
  }

  function typed() {
    const [low, high] = [Number(from.value), Number(to.value)];
    if (high > low) plot.setScale("x", { min: low, max: high });
  }

  unit.addEventListener("change", draw);
  from.addEventListener("change", typed);
  to.addEventListener("change", typed);
  all.addEventListener("click", () => plot.setScale("x", { min: 0, max: end }));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  new ResizeObserver(() => {
    if (plot && plot.width !== place.clientWidth) plot.setSize({ width: place.clientWidth, height: 260 });
  }).observe(place);
  from.value = 0;
  to.value = Number(end.toFixed(6));
  draw();
})();
