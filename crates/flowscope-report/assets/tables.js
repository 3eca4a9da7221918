// Sorting and filtering of the tables of records. Without this script they are whole, and in their first order.
const Records = (function () {
  "use strict";
  const views = [];
  const collator = new Intl.Collator("en", { numeric: true });

  function element(name, properties, ...children) {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children);
    return made;
  }

  function value(row, column) {
    const cell = row.cells[column];
    return cell.dataset.v === undefined ? cell.textContent : Number(cell.dataset.v);
  }

  function compare(a, b) {
    return typeof a === "number" && typeof b === "number" ? a - b : collator.compare(a, b);
  }

  class View {
    constructor(table) {
      this.table = table;
      this.body = table.tBodies[0];
      this.rows = Array.from(this.body.rows, (row) => ({
        row,
        text: row.textContent.toLowerCase(),
        from: Number(row.dataset.a),
        to: Number(row.dataset.b),
        failed: row.classList.contains("failed"),
      }));
      this.range = null;
      Array.from(table.tHead.rows[0].cells).forEach((head, column) => this.addSort(head, column));
      this.addTools();
      this.show();
    }

    addSort(head, column) {
      const button = element("button", { type: "button", className: "sort" }, head.textContent);
      head.replaceChildren(button);
      head.ariaSort = "none";
      button.addEventListener("click", () => {
        const numbers = head.classList.contains("n");
        const before = head.ariaSort;
        const down = before === "none" ? numbers : before === "ascending";
        for (const other of this.table.tHead.rows[0].cells) other.ariaSort = "none";
        head.ariaSort = down ? "descending" : "ascending";
        const keyed = this.rows.map((entry) => [value(entry.row, column), entry]);
        keyed.sort(([a], [b]) => (down ? compare(b, a) : compare(a, b)));
        this.rows = keyed.map(([, entry]) => entry);
        this.body.append(...this.rows.map((entry) => entry.row));
      });
    }

    addTools() {
      const tools = document.querySelector(`[data-for="${this.table.id}"]`);
      this.input = element("input", { type: "search", spellcheck: false, title: "Rows that contain all words" });
      this.failed = element("input", { type: "checkbox" });
      this.count = element("output", { role: "status" });
      tools.append(
        element("label", {}, "Filter ", this.input),
        element("label", {}, this.failed, "failed only"),
        this.count,
      );
      tools.hidden = false;
      this.input.addEventListener("input", () => this.show());
      this.failed.addEventListener("change", () => this.show());
    }

    show() {
      const words = this.input.value.toLowerCase().split(/\s+/).filter(Boolean);
      const [low, high] = this.range ?? [-Infinity, Infinity];
      let shown = 0;
      for (const { row, text, from, to, failed } of this.rows) {
        const fits = (failed || !this.failed.checked) && from <= high && to >= low
          && words.every((word) => text.includes(word));
        row.hidden = !fits;
        shown += fits;
      }
      const when = this.range ? " in the time shown above" : "";
      this.count.value = `${shown} of ${this.rows.length} rows${when}`;
    }
  }

  for (const table of document.querySelectorAll("table.records")) views.push(new View(table));

  return {
    element,
    // Shows the rows that overlap with a range of seconds from the first packet; all of them without one.
    setRange(range) {
      for (const view of views) {
        view.range = range;
        view.show();
      }
    },
  };
})();
