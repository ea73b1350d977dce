(() => {
  "use strict";

  // Without scripts the page is complete but for sorting and the switch, so what needs them is made here.
  const root = document.documentElement;

  const isDark = () =>
    root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;

  const theme = document.querySelector(".theme");
  const nameTheme = () => { theme.textContent = isDark() ? "Light theme" : "Dark theme"; };
  theme.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    nameTheme();
  });
  nameTheme();
  theme.hidden = false;

  // A cell is worth its number where it has one, and its text otherwise; what is absent is worth nothing.
  const worth = (row, column) => {
    const cell = row.cells[column];
    if (cell.dataset.value !== undefined) return Number(cell.dataset.value);
    return cell.dataset.text ?? null;
  };

  const compare = (a, b, sign) => {
    // What is absent stays at the end in both directions.
    if (a === null || b === null) return (a === null) - (b === null);
    if (typeof a === "number" && typeof b === "number") return sign * (a - b);
    return sign * String(a).localeCompare(String(b), undefined, { numeric: true });
  };

  const sort = (table, header) => {
    const descending = header.getAttribute("aria-sort") === "ascending";
    const column = header.cellIndex;
    const sign = descending ? -1 : 1;
    for (const other of table.tHead.querySelectorAll("[aria-sort]")) other.setAttribute("aria-sort", "none");
    header.setAttribute("aria-sort", descending ? "descending" : "ascending");
    // Strategies and references are sorted each among themselves: references stay below, they do not compete.
    for (const body of table.tBodies) {
      const rows = [...body.rows].filter((row) => !row.classList.contains("group"));
      rows.sort((a, b) => compare(worth(a, column), worth(b, column), sign));
      body.append(...rows);
    }
  };

  for (const table of document.querySelectorAll("table.comparison")) {
    for (const header of table.tHead.rows[0].cells) {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...header.childNodes);
      header.append(button);
      header.setAttribute("aria-sort", "none");
      button.addEventListener("click", () => sort(table, header));
    }
  }

  // Players of the browser are too wide to stand below samples.
  for (const sound of document.querySelectorAll(".sound")) {
    const player = sound.querySelector("audio");
    const button = document.createElement("button");
    button.type = "button";
    button.append("▶ ", ...sound.querySelector("span").childNodes);
    button.addEventListener("click", () => { player.currentTime = 0; player.play(); });
    player.controls = false;
    sound.querySelector("span").replaceWith(button);
  }

  // Paper cannot be unfolded.
  let folded = [];
  addEventListener("beforeprint", () => {
    folded = [...document.querySelectorAll("details:not([open])")];
    for (const details of folded) details.open = true;
  });
  addEventListener("afterprint", () => { for (const details of folded) details.open = false; });
})();
