// Keyboard of the console: j/k next and previous row, Enter opens, letters press the button that carries data-key.
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = event.target.closest("input, textarea, select, [contenteditable]");
  if (event.key === "Escape" && typing) return typing.blur();
  if (typing || document.querySelector(".q-dialog")) return;
  const rows = [...document.querySelectorAll("[data-row]")];
  const here = rows.findIndex((row) => row.classList.contains("here") || row === document.activeElement);
  const go = (index) => {
    const row = rows[Math.max(0, Math.min(rows.length - 1, index))];
    if (row) { row.focus(); row.scrollIntoView({ block: "nearest" }); row.click(); }
  };
  const key = event.code.startsWith("Key") ? event.code.slice(3).toLowerCase() : event.key; // the same keys in the Russian layout
  if (key === "j") go(here + 1);
  else if (key === "k") go(here < 0 ? 0 : here - 1);
  else if (event.key === "/" || event.code === "Slash" && !event.shiftKey) {
    const search = document.querySelector("[data-search] input, input[data-search]");
    if (search) { event.preventDefault(); search.focus(); }
  } else {
    const wanted = event.key === "?" || (event.shiftKey && event.code === "Slash") ? "?" : key;
    const button = document.querySelector(`[data-key="${wanted}"]`);
    if (button) { event.preventDefault(); button.click(); }
  }
});
