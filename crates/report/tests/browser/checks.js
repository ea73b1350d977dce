// Runs after the page's own script, uses the page as a reader would, and hands over what it found.
(() => {
  "use strict";
  const root = document.documentElement;
  const fail = (message) => problems.push(message);

  // Figures are there, have a size, and no text is cut off or written over another.
  const figures = [...document.querySelectorAll("figure svg")];
  for (const svg of figures) {
    const name = svg.querySelector("title").textContent;
    const box = svg.getBBox();
    if (!(box.width > 0 && box.height > 0)) fail(`${name}: nothing is drawn`);
    const frame = svg.getBoundingClientRect();
    const texts = [...svg.querySelectorAll("text")].map((text) => [text.textContent.trim(), text.getBoundingClientRect()]);
    for (const [text, box] of texts) {
      const inside = box.left >= frame.left - 1 && box.right <= frame.right + 1 && box.top >= frame.top - 1 &&
        box.bottom <= frame.bottom + 1;
      if (!inside) fail(`${name}: "${text}" is cut off`);
    }
    // Boxes of lines of text are higher than their letters, so an overlap of a quarter of a line does not count.
    const overlaps = (a, b) => {
      const slack = Math.min(a.width, a.height, b.width, b.height) / 4;
      return Math.min(a.right, b.right) - Math.max(a.left, b.left) > slack &&
        Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > slack;
    };
    for (let i = 0; i < texts.length; i++) {
      for (let j = 0; j < i; j++) {
        if (overlaps(texts[i][1], texts[j][1])) fail(`${name}: "${texts[i][0]}" lies on "${texts[j][0]}"`);
      }
    }
  }

  // Sorting, judged by what a reader sees: the text of the cells.
  const shown = (cell) => {
    const text = cell.textContent.trim();
    if (text === "–") return null;
    return cell.classList.contains("number") ? parseFloat(text) : text;
  };
  const inOrder = (a, b, sign) => {
    if (a === null || b === null) return b === null;
    if (typeof a === "number") return sign * (a - b) <= 0;
    return sign * a.localeCompare(b, undefined, { numeric: true }) <= 0;
  };
  let sorted = 0;
  const tables = [...document.querySelectorAll("table.comparison")];
  for (const table of tables) {
    const headers = [...table.tHead.rows[0].cells];
    for (const header of headers) {
      const button = header.querySelector("button");
      if (!button) { fail(`${header.textContent}: no button`); continue; }
      for (const [direction, sign] of [["ascending", 1], ["descending", -1]]) {
        button.click();
        if (header.getAttribute("aria-sort") !== direction) fail(`${header.textContent}: not ${direction}`);
        const others = headers.filter((other) => other !== header && other.getAttribute("aria-sort") !== "none");
        if (others.length) fail(`${header.textContent}: others say that they are sorted`);
        for (const body of table.tBodies) {
          const rows = [...body.rows].filter((row) => !row.classList.contains("group"));
          const values = rows.map((row) => shown(row.cells[header.cellIndex]));
          for (let i = 1; i < values.length; i++) {
            if (!inOrder(values[i - 1], values[i], sign)) fail(`${header.textContent}: ${values} is not ${direction}`);
          }
        }
        sorted += 1;
      }
    }
  }

  // The page never scrolls sideways, not even with everything unfolded.
  for (const details of document.querySelectorAll("details")) details.open = true;
  if (root.scrollWidth > innerWidth) fail(`the page is ${root.scrollWidth} wide in a window of ${innerWidth}`);

  // The theme: background and text colours are swapped.
  const ink = document.querySelector('figure svg text[fill="#1A1A1A"]');
  const colours = () => [getComputedStyle(document.body).backgroundColor, ink ? getComputedStyle(ink).fill : ""];
  const themes = [colours()];
  const toggle = document.querySelector("button.theme");
  if (toggle.hidden) fail("there is no switch");
  for (let i = 0; i < 2; i++) {
    toggle.click();
    themes.push(colours());
  }

  // Every picture is one, and nothing came from anywhere else.
  for (const image of document.images) {
    if (!(image.complete && image.naturalWidth > 0)) fail(`"${image.alt}" is no picture`);
  }
  for (const resource of performance.getEntriesByType("resource")) {
    if (!resource.name.startsWith("data:")) fail(`fetched ${resource.name}`);
  }
  const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
  for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) fail(`two elements are called ${id}`);
  for (const link of document.querySelectorAll('a[href^="#"]')) {
    if (!document.getElementById(link.hash.slice(1))) fail(`nothing is called ${link.hash}`);
  }

  const verdict = JSON.stringify({
    problems, figures: figures.length, tables: tables.length, sorted, themes, width: innerWidth,
    images: document.images.length, scripts: document.scripts.length,
  });
  // A page in a frame cannot write into the page around it, which has the verdict on it.
  if (parent === window) document.getElementById("verdict").textContent = btoa(unescape(encodeURIComponent(verdict)));
  else parent.postMessage(btoa(unescape(encodeURIComponent(verdict))), "*");
})();
