// Draws the charts from the server's counts.
"use strict";

const data = document.getElementById("chart");
if (data) {
  const { days, series } = JSON.parse(data.textContent);
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  const colours = [...["--s1", "--s2", "--s3", "--s4"].map(colour), "#0891b2", "#dc2626", "#65a30d", "#db2777", "#78857d"];
  const layout = (extra) => ({
    barmode: "stack", colorway: colours, paper_bgcolor: "transparent", plot_bgcolor: "transparent",
    font: { family: "inherit", color: colour("--ink") }, margin: { l: 44, r: 12, t: 12, b: 44 },
    legend: { orientation: "h", y: -0.12, yanchor: "top" }, yaxis: { gridcolor: colour("--grid"), rangemode: "tozero", tickformat: ",d" },
    ...extra,
  });
  const options = { responsive: true, displaylogo: false, displayModeBar: false };
  // Plotly formats dates in English by default.
  const chinese = [
    { dtickrange: [null, "M1"], value: "%-m月%-d日\n%Y年" },
    { dtickrange: ["M1", "M12"], value: "%Y年%-m月" },
    { dtickrange: ["M12", null], value: "%Y年" },
  ];
  const dates = document.documentElement.lang === "en" ? {} : { tickformatstops: chinese, hoverformat: "%Y年%-m月%-d日" };
  const hours = [...Array(24).keys()];
  const bars = (x, key) => series.map((one) => ({ type: "bar", name: one.name, x, y: one[key] }));
  Plotly.newPlot("by-day", bars(days, "by_day"), layout({ xaxis: { type: "date", gridcolor: colour("--grid"), ...dates } }), options);
  Plotly.newPlot("by-hour", bars(hours, "by_hour"), layout({ xaxis: { dtick: 3, ticksuffix: ":00", range: [-0.5, 23.5] } }), options);
}
