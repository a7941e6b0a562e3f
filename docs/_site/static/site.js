document.addEventListener("DOMContentLoaded", () => {
  // Long names in tables may break after an underscore, but a first one. <wbr> is not copied, as a character would be.
  for (const code of document.querySelectorAll("table.docutils td code span.pre")) {
    const parts = code.textContent.split(/(?<=[^_]_)/);
    code.replaceChildren(...parts.flatMap((part, at) => (at ? [document.createElement("wbr"), part] : [part])));
  }

  // A narrow screen has no room for four columns. Where a row is about one name, as a setting or a check, it becomes a
  // list there, each cell under its column's head; tables of figures stay tables.
  for (const table of document.querySelectorAll("table.docutils")) {
    const heads = [...table.querySelectorAll("thead th")].map((head) => head.textContent.trim());
    const rows = [...table.querySelectorAll("tbody tr")];
    if (heads.length < 4 || heads.length > 7 || !rows.every((row) => row.cells[0].querySelector("code"))) continue;
    table.classList.add("names");
    for (const row of rows) [...row.cells].forEach((cell, at) => cell.textContent.trim() && (cell.dataset.head = heads[at]));
  }
});
