for (const table of document.querySelectorAll("table.sortable")) {
  for (const heading of table.tHead.rows[0].cells) {
    const button = document.createElement("button");
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => {
      const descending = heading.ariaSort === "ascending";
      for (const other of heading.parentNode.cells) other.removeAttribute("aria-sort");
      heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
      const value = row => row.cells[heading.cellIndex].dataset.sort ?? row.cells[heading.cellIndex].textContent.trim();
      const body = table.tBodies[0];
      const order = (a, b) => {
        const [x, y] = [value(a), value(b)];
        if (x === "" || y === "") return (x === "") - (y === "");
        const found = isNaN(x) || isNaN(y) ? x.localeCompare(y) : x - y;
        return descending ? -found : found;
      };
      body.append(...[...body.rows].sort(order));
    });
  }
}
