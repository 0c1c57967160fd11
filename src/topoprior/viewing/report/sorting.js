// A click on a heading sorts its table by that column; a second click turns the order round.
for (const heading of document.querySelectorAll("table.sortable th")) {
  const button = document.createElement("button");
  button.append(...heading.childNodes);
  heading.append(button);
  button.addEventListener("click", () => {
    const table = heading.closest("table");
    const falling = heading.getAttribute("aria-sort") === "ascending";
    const value = (row) => {
      const cell = row.cells[heading.cellIndex];
      return cell.dataset.value ?? cell.textContent.trim();
    };
    const compare = (one, two) => {
      const [a, b] = [value(one), value(two)];
      const numbers = [a, b].map((text) => text === "inf" ? Infinity : parseFloat(text));
      return numbers.some(Number.isNaN) ? a.localeCompare(b, undefined, { numeric: true }) : numbers[0] - numbers[1] || 0;
    };
    const rows = [...table.tBodies[0].rows].sort((one, two) => (falling ? -1 : 1) * compare(one, two));
    table.tBodies[0].append(...rows);
    for (const other of table.querySelectorAll("th")) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", falling ? "descending" : "ascending");
  });
}
