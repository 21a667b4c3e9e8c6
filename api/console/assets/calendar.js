// A slot of the calendar is taken to another day by the mouse; the server moves it or says why not.
(() => {
  let taken = null;
  const cellOf = (event) => event.target.closest?.("td[data-day]");
  document.addEventListener("dragstart", (event) => {
    taken = event.target.closest?.("[data-slot]");
    if (taken) { event.dataTransfer.setData("text/plain", taken.dataset.slot); event.dataTransfer.effectAllowed = "move"; }
  });
  document.addEventListener("dragover", (event) => {
    const cell = cellOf(event);
    document.querySelectorAll("td.over").forEach((other) => other !== cell && other.classList.remove("over"));
    if (taken && cell) { event.preventDefault(); cell.classList.add("over"); }
  });
  document.addEventListener("drop", (event) => {
    const cell = cellOf(event);
    if (!taken || !cell) return;
    event.preventDefault();
    emitEvent("slot_moved", { id: taken.dataset.slot, day: cell.dataset.day });
  });
  document.addEventListener("dragend", () => {
    taken = null;
    document.querySelectorAll("td.over").forEach((cell) => cell.classList.remove("over"));
  });
})();
