// What an officer types is never lost: fields with data-keep are kept in this browser until they are saved.
(() => {
  const PREFIX = "mcu:draft:", LIFE = 7 * 24 * 3600 * 1000;
  const read = (key) => { try { return JSON.parse(localStorage.getItem(PREFIX + key)); } catch { return null; } };
  let isRestoring = false;

  document.addEventListener("input", (event) => {
    const key = event.target.dataset?.keep;
    if (!key || isRestoring) return;
    if (event.target.value) localStorage.setItem(PREFIX + key, JSON.stringify({ text: event.target.value, at: Date.now() }));
    else localStorage.removeItem(PREFIX + key);
  });

  window.forgetDrafts = (start) => {
    for (const key of Object.keys(localStorage)) if (key.startsWith(PREFIX + start)) localStorage.removeItem(key);
    document.querySelector("#kept")?.remove();
  };

  function fill(field, text) {
    isRestoring = true;
    field.value = text;
    field.dispatchEvent(new Event("input", { bubbles: true }));
    isRestoring = false;
  }

  function offer(field, key, kept) {
    document.querySelector("#kept")?.remove();
    const bar = document.createElement("div");
    bar.id = "kept";
    bar.setAttribute("role", "status");
    const time = new Date(kept.at).toLocaleTimeString("ru-RU", { hour: "2-digit", minute: "2-digit" });
    const words = document.createElement("span");
    words.textContent = `Есть несохранённый текст от ${time}. `;
    bar.append(words, button("Вернуть", () => fill(field, kept.text)), button("Забыть", () => localStorage.removeItem(PREFIX + key)));
    document.body.append(bar);
    function button(text, act) {
      const made = document.createElement("button");
      made.textContent = text;
      made.onclick = () => { act(); bar.remove(); };
      return made;
    }
  }

  function look() {
    if (!window.did_handshake) return setTimeout(look, 200); // the server hears the field only then
    for (const field of document.querySelectorAll("[data-keep]:not([data-kept])")) {
      field.dataset.kept = "";
      const key = field.dataset.keep, kept = read(key);
      if (!kept || kept.text === field.value) continue;
      if (Date.now() - kept.at > LIFE) localStorage.removeItem(PREFIX + key);
      else offer(field, key, kept); // never put in unasked: it may be another matter by now
    }
  }
  new MutationObserver(look).observe(document.documentElement, { childList: true, subtree: true });
})();
