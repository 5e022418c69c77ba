// Draws each report's chart from the table below it: what is drawn and what is read are the same numbers.
"use strict";

const tones = ["c-1", "c-4", "c-2", "c-3"];

// A colour as the page shows it now: a canvas knows nothing of light and dark.
function paint(name) {
  const probe = document.createElementNS("http://www.w3.org/2000/svg", "rect");
  const frame = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  frame.classList.add("hide");
  probe.classList.add(name);
  frame.append(probe);
  document.body.append(frame);
  const found = getComputedStyle(probe).fill;
  frame.remove();
  return found;
}

function colour(element) { return getComputedStyle(element).color; }

const charts = [];

function draw(box) {
  const table = document.getElementById(box.dataset.of);
  const rows = [...table.tBodies[0].rows];
  const heads = [...table.tHead.rows[0].cells].map((cell) => cell.textContent.trim());
  const muted = colour(document.querySelector(".page-head p"));
  const canvas = document.createElement("canvas");
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", `${table.caption.textContent}: ${document.documentElement.lang === "es" ? "los números están en la tabla" : "the numbers are in the table"}`);
  box.replaceChildren(canvas);
  box.hidden = false;
  const stacked = "stacked" in box.dataset;
  charts.push(new Chart(canvas, {
    type: "bar",
    data: {
      labels: rows.map((row) => row.cells[0].textContent.trim()),
      datasets: box.dataset.chart.split(",").map((column, at) => ({
        label: heads[column],
        data: rows.map((row) => Number(row.cells[column].dataset.value ?? NaN)),
        backgroundColor: paint(tones[at]),
        borderRadius: 3,
        maxBarThickness: 22,
      })),
    },
    options: {
      indexAxis: "y",
      animation: false,
      responsive: true,
      maintainAspectRatio: false,
      scales: {
        x: { stacked, beginAtZero: true, ticks: { color: muted, precision: 0 }, grid: { color: "#8884" }, border: { display: false } },
        y: { stacked, ticks: { color: muted }, grid: { display: false }, border: { display: false } },
      },
      plugins: { legend: { position: "bottom", align: "start", labels: { color: muted, boxWidth: 10, boxHeight: 10 } } },
    },
  }));
}

function drawAll() {
  for (const chart of charts.splice(0)) chart.destroy();
  for (const box of document.querySelectorAll("[data-chart]")) draw(box);
}

drawAll();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
