// The image chooser: images and their tags, asked of the hub, below a text field that works without it. All text of a registry stays text.
(() => {
  const PAUSE = 250;
  const form = document.getElementById("naas-form");

  /** Image and tag of what is typed; the tag is undefined before its colon is there. */
  const parts = (text) => {
    const slash = text.lastIndexOf("/");
    const colon = slash < 0 ? -1 : text.indexOf(":", slash);
    return colon < 0 ? [text, undefined] : [text.slice(0, colon), text.slice(colon + 1)];
  };

  const make = (tag, className, text) => {
    const made = document.createElement(tag);
    if (className) made.className = className;
    made.textContent = text;
    return made;
  };

  function say(place, text, level) {
    place.replaceChildren(...(level ? [icon(level)] : []), ...(text ? [make("span", "", text)] : []));
    place.hidden = !text;
  }

  const icon = (level) => form.querySelector(`template[data-icon="${level}"]`).content.cloneNode(true);

  const kept = new Map();

  /** A list from the hub; asked for once. */
  function get(path, query) {
    const address = `${path}?${new URLSearchParams(query)}`;
    if (!kept.has(address)) {
      const answer = fetch(address, { redirect: "error", headers: { Accept: "application/json" } }).then((found) => {
        if (!found.ok) throw new Error(found.statusText);
        return found.json();
      });
      const forget = () => kept.delete(address);
      kept.set(address, answer);
      answer.then((found) => found.troubles.length && forget(), forget);
    }
    return kept.get(address);
  }

  /** What a scan found in the image that is chosen from the list; nothing where that is not known. */
  function scanned(place) {
    const list = place.parentElement.querySelector("select");
    const look = async () => {
      const image = list.selectedOptions[0]?.dataset.image;
      say(place, "");
      if (!image) return;
      const [name, tag] = parts(image);
      try {
        const { items } = await get(place.dataset.tags, { profile: place.dataset.profile, image: name, tag: tag || "latest" });
        if (list.selectedOptions[0]?.dataset.image === image) say(place, items[0]?.scanned ?? "", items[0]?.level);
      } catch {
        // it is only a remark
      }
    };
    list.addEventListener("change", look);
    look();
  }

  function chooser(box) {
    const texts = JSON.parse(box.dataset.texts);
    const field = box.querySelector("input");
    const list = box.querySelector("ul");
    const said = box.parentElement.querySelector(".n-said");
    let rows = [];
    let active = -1;
    let turn = 0;
    let timer = 0;
    let choosing = false;

    field.setAttribute("role", "combobox");
    field.setAttribute("aria-autocomplete", "list");
    field.setAttribute("aria-controls", list.id);
    field.setAttribute("aria-expanded", "false");

    const ask = (path, query) => get(`${box.dataset.images}${path}`, { profile: box.dataset.profile, ...query });

    function close() {
      turn += 1;
      clearTimeout(timer);
      list.hidden = true;
      field.setAttribute("aria-expanded", "false");
      mark(-1);
    }

    function mark(place) {
      active = place;
      list.querySelectorAll("[role=option]").forEach((option, at) => option.setAttribute("aria-selected", String(at === place)));
      const option = list.querySelectorAll("[role=option]")[place];
      if (option) {
        field.setAttribute("aria-activedescendant", option.id);
        option.scrollIntoView({ block: "nearest" });
      } else field.removeAttribute("aria-activedescendant");
    }

    function option(row, at) {
      const line = make("li", "", "");
      line.id = `${list.id}-${at}`;
      line.setAttribute("role", "option");
      line.setAttribute("aria-selected", "false");
      line.append(make("b", "", row.tag ?? row.image));
      if (row.tag === undefined) {
        if (row.description) line.append(make("span", "n-why", row.description));
      } else {
        const scan = make("span", "n-scan", "");
        scan.append(icon(row.level), make("span", "", row.scan));
        line.append(scan, make("span", "n-why", [row.detail, row.allowed ? "" : texts.closed].filter(Boolean).join(" · ")));
        if (!row.allowed) line.setAttribute("aria-disabled", "true");
      }
      line.addEventListener("click", () => choose(at));
      return line;
    }

    function show(found, more) {
      rows = found;
      list.replaceChildren(...rows.map(option));
      if (more && rows.length) {
        const last = make("li", "n-why n-more", texts.more);
        last.setAttribute("role", "presentation");
        list.append(last);
      }
      list.hidden = rows.length === 0;
      field.setAttribute("aria-expanded", String(rows.length > 0));
      mark(-1);
    }

    async function look() {
      const mine = ++turn;
      const text = field.value.trim();
      const [image, tag] = parts(text);
      const slow = setTimeout(() => mine === turn && say(said, texts.looking), PAUSE);
      try {
        const answer = tag === undefined ? await ask("", { search: text }) : await ask("/tags", { image });
        if (mine !== turn) return;
        const found = tag === undefined ? answer.items : answer.items.filter((row) => row.tag.startsWith(tag));
        show(found, answer.next);
        say(said, [...answer.troubles, ...(found.length || answer.troubles.length ? [] : [texts.nothing])].join(" "), answer.troubles.length ? "warn" : "");
      } catch {
        if (mine !== turn) return;
        show([], false);
        say(said, texts.away, "warn");
      } finally {
        clearTimeout(slow);
      }
    }

    function put(text) {
      choosing = true;
      field.value = text;
      field.dispatchEvent(new Event("input", { bubbles: true })); // the summary follows
      choosing = false;
    }

    function choose(at) {
      const row = rows[at];
      if (!row || row.allowed === false) return;
      if (row.tag === undefined) {
        put(`${row.image}:`);
        look();
        return;
      }
      put(row.reference);
      close();
      say(said, row.scan, row.level);
    }

    field.addEventListener("input", () => {
      if (choosing) return;
      say(said, "");
      clearTimeout(timer);
      timer = setTimeout(look, PAUSE);
    });
    field.addEventListener("click", () => list.hidden && look());
    field.addEventListener("blur", close);
    list.addEventListener("pointerdown", (event) => event.preventDefault()); // the field keeps the focus
    field.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && !list.hidden) close();
      else if (event.key === "ArrowDown" && list.hidden) look();
      else if (event.key === "ArrowDown") mark((active + 1) % rows.length);
      else if (event.key === "ArrowUp" && !list.hidden) mark(active < 1 ? rows.length - 1 : active - 1);
      else if (event.key === "Enter" && active >= 0) choose(active);
      else return;
      event.preventDefault();
    });
  }

  for (const box of form.querySelectorAll("[data-images]")) chooser(box);
  for (const place of form.querySelectorAll("[data-tags]")) scanned(place);
})();
