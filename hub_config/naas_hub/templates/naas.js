// Language, times in the reader's zone, and buttons of confirmation dialogs. Every page is usable without it.
(() => {
  const language = document.documentElement.lang;
  const cookie = (name, value) => {
    document.cookie = `${name}=${value}; path=${window.jhdata.prefix}; max-age=31536000; samesite=lax`;
  };

  for (const button of document.querySelectorAll("[data-language]")) {
    button.addEventListener("click", () => {
      cookie(button.dataset.cookie, button.dataset.language);
      const query = new URLSearchParams(window.location.search);
      query.delete("_xsrf"); // JupyterHub would take it for a start option
      const search = query.size ? `?${query}` : "";
      window.location.assign(window.location.pathname + search);
    });
  }

  // 6 s ago · 4 min ago · 3 h ago · yesterday 18:02 · 5 Nov; the exact time is in the tooltip
  const format = (options) => new Intl.DateTimeFormat(language === "en" ? "en-GB" : language, options);
  const ago = {{ {"s": _("{n} s ago"), "min": _("{n} min ago"), "h": _("{n} h ago"), "yesterday": _("yesterday {n}")} | tojson }};
  const fill = (text, n) => text.replace("{n}", n);
  function age(date) {
    const seconds = (Date.now() - date.getTime()) / 1000;
    const midnight = new Date().setHours(0, 0, 0, 0);
    const clock = format({ hour: "2-digit", minute: "2-digit" }).format(date);
    if (seconds < 60) return fill(ago.s, Math.max(0, Math.round(seconds)));
    if (seconds < 3600) return fill(ago.min, Math.round(seconds / 60));
    if (date.getTime() >= midnight) return fill(ago.h, Math.round(seconds / 3600));
    if (date.getTime() >= midnight - 86400000) return fill(ago.yesterday, clock);
    const sameYear = date.getFullYear() === new Date().getFullYear();
    return format({ day: "numeric", month: "short", ...(sameYear ? {} : { year: "numeric" }) }).format(date);
  }
  function times() {
    for (const time of document.querySelectorAll("time[datetime]")) {
      const date = new Date(time.dateTime);
      if (Number.isNaN(date.getTime())) continue;
      time.title = format({ dateStyle: "medium", timeStyle: "long" }).format(date);
      time.textContent = time.dataset.clock === undefined ? age(date) : format({ timeStyle: "medium" }).format(date);
    }
  }
  times();
  window.setInterval(times, 30000);

  // Calls of JupyterHub's own API with the session of this page (a changing call needs the XSRF header).
  const api = (path, method, body) =>
    fetch(`${window.jhdata.base_url}api/${path}`, { method, body, headers: { "X-XSRFToken": window.jhdata.xsrf_token } });

  for (const button of document.querySelectorAll("[data-dialog]")) {
    const dialog = document.getElementById(button.dataset.dialog);
    button.addEventListener("click", () => dialog.showModal());
  }
  for (const button of document.querySelectorAll("[data-call]")) {
    const problem = document.getElementById(button.dataset.problem);
    button.addEventListener("click", async () => {
      button.disabled = true;
      try {
        const answer = await api(button.dataset.call, button.dataset.method, button.dataset.body);
        if (!answer.ok) throw new Error((await answer.json().catch(() => ({}))).message || String(answer.status));
        window.location.assign(button.dataset.then);
      } catch (error) {
        problem.textContent = `${problem.dataset.text} ${error.message}`;
        button.disabled = false;
      }
    });
  }
  for (const note of document.querySelectorAll("[data-hide]")) {
    const key = `naas-hidden:${note.dataset.hide}`;
    if (localStorage.getItem(key)) note.hidden = true;
    note.querySelector("button")?.addEventListener("click", () => {
      localStorage.setItem(key, "1");
      note.hidden = true;
    });
  }
  for (const button of document.querySelectorAll("[data-copy]")) {
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(button.dataset.copy);
      button.textContent = button.dataset.done;
    });
  }
})();
