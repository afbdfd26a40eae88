"use strict";
// Sorting: a click, or Enter, on a column's head. Numbers lie in data-value; empty cells stay last.
for (const button of document.querySelectorAll("th button")) {
  button.addEventListener("click", () => {
    const head = button.closest("th"), body = head.closest("table").tBodies[0];
    const column = [...head.parentNode.children].indexOf(head), down = head.getAttribute("aria-sort") === "ascending";
    for (const other of head.parentNode.children) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const key = (row) => { const cell = row.children[column]; return cell.dataset.value ?? cell.textContent.trim(); };
    const order = (a, b) => {
      const x = key(a), y = key(b);
      if (x === "" || y === "") return (x === "") - (y === "");
      const both = !isNaN(x) && !isNaN(y), found = both ? x - y : x.localeCompare(y, undefined, { numeric: true });
      return down ? -found : found;
    };
    body.append(...[...body.rows].sort(order));
  });
}
for (const button of document.querySelectorAll("button.copy")) {
  button.addEventListener("click", async () => {
    const source = document.getElementById(button.dataset.from), label = button.textContent;
    try { await navigator.clipboard.writeText(source.textContent); } catch {
      const range = document.createRange(); range.selectNodeContents(source);
      getSelection().removeAllRanges(); getSelection().addRange(range); document.execCommand("copy");
    }
    button.textContent = "Copied"; setTimeout(() => { button.textContent = label; }, 1500);
  });
}
// On paper nothing can be unfolded.
let folded = [];
addEventListener("beforeprint", () => {
  folded = [...document.querySelectorAll("main > .card details:not([open])")]; for (const one of folded) one.open = true;
});
addEventListener("afterprint", () => { for (const one of folded) one.open = false; });
