// The form works without this script; it keeps the summary true, and forbids at once what the server would refuse.
(() => {
  const form = document.getElementById("naas-form");
  form.classList.add("n-js");
  const all = (selector, root = form) => Array.from(root.querySelectorAll(selector));
  const field = (slug, name) => all(`[name="${name}:${CSS.escape(slug)}"]`);

  const labels = (slug, name) =>
    field(slug, name).flatMap((input) => {
      if (input.tagName === "SELECT") {
        const own = input.value === "" && all(`[name="custom_image:${CSS.escape(slug)}"]`)[0];
        return [(own && own.value) || input.selectedOptions[0].dataset.label];
      }
      return input.type === "hidden" || input.checked ? [input.dataset.label] : [];
    });

  function forbid(slug) {
    const cores = field(slug, "cores").find((input) => input.type === "hidden" || input.checked);
    const sizes = field(slug, "memory").filter((input) => input.type === "radio");
    for (const size of sizes) size.disabled = Number(size.dataset.needs) > Number(cores?.value ?? 0);
    if (sizes.some((size) => size.checked && size.disabled)) {
      const allowed = sizes.filter((size) => !size.disabled);
      if (allowed.length) allowed[allowed.length - 1].checked = true;
    }
  }

  function update() {
    const slug = all("[name=profile]").find((input) => input.checked)?.value;
    showGpus();
    holdBack(slug);
    if (!slug) return;
    forbid(slug);
    for (const own of all('[name^="custom_image:"]')) own.disabled = own.closest(".n-field").querySelector("select").value !== "";
    for (const summary of all(`.n-sum[data-profile="${CSS.escape(slug)}"] [data-sum]`)) {
      const parts = summary.dataset.sum.split(" ").flatMap((name) => labels(slug, name));
      summary.textContent = parts.join(", ") || "–";
    }
  }

  // GPUs: what is free changes while the page is open. The page is fetched again and tells it in `data-gpus`, flavour → line.
  const LOOK = 15_000;
  const watched = new Map();
  const read = (text) => Object.assign(Object.create(null), JSON.parse(text ?? "{}"));
  let gpus = read(form.dataset.gpus);
  let asked = performance.now();
  let loaded = asked;
  const fill = (pattern, values) => pattern.replace(/\{(\w+)\}/g, (_, key) => values[key]);
  const lacks = (flavour, count) => flavour in gpus && gpus[flavour].free < Number(count);

  function ago(age) {
    const seconds = Math.floor(age + (performance.now() - loaded) / 1000);
    const unit = seconds < 60 ? 0 : seconds < 3600 ? 1 : 2;
    return fill(JSON.parse(form.dataset.ago)[unit], { n: Math.floor(seconds / 60 ** unit) });
  }

  function write(place, text) {
    place.hidden = !text;
    if (place.textContent !== text) place.textContent = text;
  }

  function showGpus() {
    for (const place of all("[data-free]")) {
      const line = gpus[place.dataset.free];
      write(place, line ? (line.age === null ? line.text : `${line.text} · ${ago(line.age)}`) : "");
    }
    for (const place of all("[data-why]")) write(place, gpus[place.dataset.why]?.why ?? "");
    for (const place of all("[data-free-name]")) place.hidden = !(place.dataset.freeName in gpus);
    for (const row of all("[data-needed]")) {
      const short = Object.entries(JSON.parse(row.dataset.needed)).every((needed) => lacks(...needed));
      const radio = row.querySelector("input");
      row.classList.toggle("n-none", short);
      radio.disabled = short && !radio.checked; // a browser does not send what is chosen and disabled
    }
    for (const option of all("option[data-gpu]")) {
      const short = lacks(option.value, option.dataset.count);
      option.disabled = short && !option.selected;
      const text = short ? `${option.dataset.gpu} (${gpus[option.value].text})` : option.dataset.gpu;
      if (option.textContent !== text) option.textContent = text;
    }
    for (const button of all("[data-tell]")) {
      const { tell, count } = button.dataset;
      button.hidden = !lacks(tell, count);
      if (!watched.has(tell)) continue;
      button.setAttribute("aria-disabled", "true"); // it keeps the focus, and so its new text is read out
      button.textContent = form.dataset.waiting;
    }
    for (const button of all("[data-again]")) button.disabled = lacks(button.dataset.again, button.dataset.count);
  }

  /** Nothing can be started while the chosen GPU is not free; the reason stands above the button. */
  function holdBack(slug) {
    const option = all(`select[name="gpu:${CSS.escape(slug ?? "")}"]`)[0]?.selectedOptions[0];
    const short = option && lacks(option.value, option.dataset.count);
    for (const button of all('[type="submit"]:not([name])')) button.disabled = Boolean(short);
    for (const place of all("#n-short"))
      write(place, short ? fill(form.dataset.short, { flavour: option.value, text: gpus[option.value].text }) : "");
  }

  function tellFreed() {
    for (const [flavour, { count, label }] of watched) {
      if (!(flavour in gpus) || lacks(flavour, count)) continue;
      watched.delete(flavour);
      for (const button of all(`[data-tell="${CSS.escape(flavour)}"]`)) {
        button.removeAttribute("aria-disabled");
        button.textContent = label;
      }
      const sentence = fill(form.dataset.freed, { flavour });
      document.title = `● ${sentence}`;
      for (const place of all("#n-short")) write(place, sentence);
      if ("Notification" in window && Notification.permission === "granted") new Notification(sentence);
    }
  }

  async function look() {
    asked = performance.now();
    try {
      const answer = await fetch(location.pathname, { redirect: "error" });
      const page = answer.ok && new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("naas-form");
      if (!page?.dataset.gpus || form.dataset.sent) return;
      gpus = read(page.dataset.gpus);
      loaded = performance.now();
      update();
      tellFreed();
    } catch {
      // the hub is away for a moment: the age goes on and says so
    }
  }

  form.addEventListener("click", (event) => {
    const button = event.target.closest("[data-tell]");
    if (!button || watched.has(button.dataset.tell)) return;
    watched.set(button.dataset.tell, { count: button.dataset.count, label: button.textContent });
    if ("Notification" in window && Notification.permission === "default") Notification.requestPermission();
    showGpus();
  });

  if (form.dataset.gpus)
    setInterval(() => {
      if (form.dataset.sent || (document.hidden && !watched.size)) return;
      if (performance.now() - asked > LOOK) look();
      else showGpus();
    }, 1000);

  form.addEventListener("input", update);
  update();

  // One press, one start: the buttons rest while the hub answers, and wake when the page comes back from history.
  const buttons = all("[data-start]");
  form.closest("form")?.addEventListener("submit", (event) => {
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "1";
    for (const button of buttons) button.setAttribute("aria-disabled", "true");
  });
  window.addEventListener("pageshow", () => {
    delete form.dataset.sent;
    for (const button of buttons) button.removeAttribute("aria-disabled");
    update();
  });
})();
