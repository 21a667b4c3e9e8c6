// Keyboard of the console. event.code names the key by its place, so the same keys work in the Russian layout.
// j k next and previous row · Enter opens it · letters press the button with that data-key · digits choose in an open menu.
(() => {
  const isSeen = (element) => element.offsetParent !== null || element.getClientRects().length > 0;
  const rows = () => [...document.querySelectorAll("[data-row]")].filter(isSeen);
  const letter = (event) => event.code.startsWith("Key") ? event.code.slice(3).toLowerCase() : event.key;

  // The pane follows its row a moment later: until it does, a letter waits, or it would decide on the row before.
  let awaited = null;
  document.addEventListener("click", (event) => {
    const row = event.target.closest?.("[data-select]");
    if (row) awaited = row.dataset.row;
  }, true);
  const isSettled = () => {
    const pane = document.querySelector(".pane[data-shows]");
    return !awaited || !pane || pane.dataset.shows === awaited || !document.querySelector(`[data-row="${CSS.escape(awaited)}"]`);
  };

  function press(key, triesLeft = 100) {
    if (!isSettled()) return triesLeft && setTimeout(() => press(key, triesLeft - 1), 50);
    const wanted = [...document.querySelectorAll(`[data-key="${CSS.escape(key)}"]`)].find(isSeen);
    if (wanted) wanted.matches("input, textarea") ? wanted.focus() : wanted.click();
  }

  function step(by) {
    const all = rows();
    const focused = all.findIndex((row) => row.contains(document.activeElement));
    const here = focused >= 0 ? focused : all.findIndex((row) => row.classList.contains("here"));
    const row = all[here < 0 ? 0 : Math.max(0, Math.min(all.length - 1, here + by))];
    if (!row) return;
    row.focus();
    row.scrollIntoView({ block: "nearest" });
    if (row.dataset.select !== undefined) row.click(); // the pane beside follows
  }

  function open(event) {
    const row = event.target.closest("[data-row]");
    if (!row || event.target !== row) return; // a link or a button inside the row opens itself
    if (row.dataset.open) location.href = row.dataset.open;
    else if (row.tagName !== "A") { row.click(); document.querySelector(".pane")?.focus(); }
  }

  function choose(event) {
    const items = [...document.querySelectorAll(".q-menu .q-item")].filter(isSeen);
    const item = items[Number(event.key) - 1];
    if (item) { event.preventDefault(); item.click(); }
    return items.length > 0;
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !event.target.closest) return;
    const typing = event.target.closest("input:not([type=checkbox]), textarea, select, [contenteditable]");
    if (event.key === "Escape" && typing) return typing.blur();
    if (typing || document.querySelector(".q-dialog")) return;
    if (/^[1-9]$/.test(event.key) && choose(event)) return;
    if (event.key === "Enter") return open(event);
    const slash = event.code === "Slash" || event.key === "/" || event.key === "?";
    const key = slash ? (event.shiftKey || event.key === "?" ? "?" : "/") : letter(event);
    if (key === "j") step(1);
    else if (key === "k") step(-1);
    else if (/^[a-z/?]$/.test(key)) {
      if (key === "/" || document.querySelector(`[data-key="${key}"]`)) event.preventDefault();
      press(key);
    }
  });

  addEventListener("load", () => document.querySelector(".rail .here")?.scrollIntoView({ block: "nearest", inline: "center" }));
})();
