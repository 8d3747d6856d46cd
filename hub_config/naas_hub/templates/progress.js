// The steps of a start on one time axis, from JupyterHub's progress events; without this script the page reloads itself.
// Ours carry phase, title, lane, state (expected|now|done|degraded|failed), at (seconds since the start, when this was noted),
// seconds (what it took; before its end, what it usually takes, or null) and detail. See naas_spawner.phases.
(() => {
  const $ = (id) => document.getElementById(id);
  const data = JSON.parse($("n-data").textContent);
  const phases = new Map();
  let offset = performance.now() / 1000 - data.elapsed; // when the start was asked for, on this page's clock
  let ended = false;
  let said = -1;

  const now = () => performance.now() / 1000 - offset;
  const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, key) => values[key]);
  const duration = (s) =>
    s >= 99.5
      ? fill(data.min, { m: Math.floor(s / 60), s: Math.round(s % 60) })
      : fill(data.s, { n: s < 10 ? s.toFixed(1).replace(/\.0$/, "") : Math.round(s) });
  const element = (tag, className, text) => {
    const made = document.createElement(tag);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  };
  const shape = { expected: "wait", now: "busy", done: "ok", degraded: "warn", failed: "bad" };

  function row(lane, phase, title) {
    let list = $(`n-lane-${lane}`);
    if (!list) {
      list = element("ul");
      list.id = `n-lane-${lane}`;
      const heading = element("h2", "", data.lanes[lane] ?? lane);
      $("n-lanes").append(heading, list);
    }
    const item = element("li");
    const name = element("span", "n-st");
    name.append(element("span"), element("b", "", data.phases[phase] ?? title ?? phase));
    const lane_ = element("span", "n-lane");
    lane_.setAttribute("aria-hidden", "true");
    item.append(name, element("span", "n-dim n-nt n-small n-num"), lane_, element("span", "n-num n-tt"));
    list.append(item);
    return item;
  }

  function take(event) {
    if (!(event.state in shape)) return;
    let phase = phases.get(event.phase);
    if (!phase) {
      const lane = event.lane ?? "server";
      phase = { lane, item: row(lane, event.phase, event.title), at: 0, seconds: 0, expected: 0 };
      phases.set(event.phase, phase);
    }
    if (event.state === "expected" || event.state === "now") {
      phase.at = event.at ?? now();
      phase.expected = event.seconds ?? phase.expected;
    } else {
      phase.seconds = event.seconds ?? now() - phase.at;
      phase.at = (event.at ?? now()) - phase.seconds;
    }
    phase.detail = event.detail || phase.detail;
    if (phase.state !== event.state) {
      const drawn = $("n-icons").content.querySelector(`[data-state=${shape[event.state]}]`);
      phase.item.firstChild.firstChild.replaceWith(drawn.cloneNode(true));
    }
    phase.state = event.state;
    $("n-lanes").hidden = false;
  }

  // Where each bar ends: finished ones are known, running ones at least now, expected ones follow the one before in their lane.
  function layout() {
    const ends = {};
    for (const phase of phases.values()) {
      if (phase.state === "expected") phase.at = Math.max(ends[phase.lane] ?? 0, now());
      const usual = phase.at + phase.expected;
      phase.end = phase.state === "now" ? Math.max(now(), usual) : phase.state === "expected" ? usual : phase.at + phase.seconds;
      ends[phase.lane] = Math.max(ends[phase.lane] ?? 0, phase.end);
    }
    return Math.max(now(), ...Object.values(ends));
  }

  function scale(end) {
    const step = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600].find((s) => s * 3 >= end) ?? Math.ceil(end / 1800) * 600;
    const axis = $("n-scale");
    if (axis.dataset.step !== String(step)) {
      axis.dataset.step = step;
      axis.replaceChildren(
        ...[0, 1, 2, 3].map((i) => {
          const tick = element("i", "", duration(i * step));
          tick.style.left = `${(i * 100) / 3}%`;
          return tick;
        }),
      );
    }
    return step * 3;
  }

  function bar(className, from, to, whole) {
    const made = element("i", className);
    made.style.left = `${Math.min(100, (from / whole) * 100)}%`;
    made.style.width = `${Math.max(0, Math.min(100, (to / whole) * 100) - Math.min(100, (from / whole) * 100))}%`;
    return made;
  }

  function draw() {
    const end = layout();
    const whole = scale(end);
    for (const phase of phases.values()) {
      const [, note, lane, time] = phase.item.children;
      const open = phase.state === "expected" && !ended;
      const until = phase.state === "now" ? now() : phase.at + phase.seconds;
      const bars = [];
      if (open || (phase.state === "now" && phase.end > now())) bars.push(bar("n-exp", phase.at, phase.end, whole));
      if (phase.state !== "expected") bars.push(bar({ now: "n-now", failed: "n-failed" }[phase.state] ?? "n-done", phase.at, until, whole));
      lane.replaceChildren(...bars);
      note.textContent = phase.detail || (open && phase.expected ? fill(data.usually, { n: duration(phase.expected) }) : "");
      time.textContent = phase.state === "expected" ? "" : duration(Math.max(0, until - phase.at));
    }
    const parts = [fill(data.so_far, { n: duration(Math.floor(now())) })];
    if (end - now() >= 1) parts.push(fill(data.to_go, { n: duration(Math.round(end - now())) }));
    const why = [...phases.values()].find((phase) => phase.state === "now")?.detail;
    $("n-times").textContent = parts.join(", ") + (why ? `: ${why}.` : ".");
  }

  function say(text) {
    $("n-said").textContent = text;
  }

  function fail(message) {
    for (const [phase, { state }] of phases) if (state === "now") take({ phase, state: "failed" });
    ended = true;
    draw();
    $("n-title").textContent = data.failed;
    $("n-cause").textContent = message;
    for (const id of ["n-problem", "n-again", "n-home"]) $(id).hidden = false;
    for (const id of ["n-cancel", "n-tell-label", "n-lead", "n-total", "n-close"]) $(id).hidden = true;
    document.title = data.failed;
  }

  function log(text) {
    $("n-log").textContent += `${duration(Math.round(now() * 10) / 10).padStart(7)}  ${text}\n`;
  }

  const stream = new EventSource(data.progress_url);
  stream.onopen = () => $("n-log").replaceChildren(); // all events come again after a reconnection
  stream.onmessage = ({ data: body }) => {
    const event = JSON.parse(body);
    if (event.at !== undefined) offset = Math.min(offset, performance.now() / 1000 - event.at);
    take(event);
    if (event.message && event.state !== "expected") log(event.message);
    if (event.progress !== undefined) {
      $("n-total").value = event.progress;
      const quarter = Math.floor(event.progress / 25);
      if (quarter > said) say(fill(data.percent, { n: quarter * 25 }));
      said = Math.max(said, quarter);
    }
    if (event.ready) {
      stream.close();
      ended = true;
      if ($("n-tell").checked && document.hidden) new Notification(data.ready);
      window.location.reload(); // the hub sends on to the server, or to ?next=
    }
    if (event.failed) {
      stream.close();
      // JupyterHub puts its exception's name and number before the sentence
      fail(event.message.replace(/^Spawn failed: /, "").replace(/^\d{3} \w+\(reason=[^)]*\): /, ""));
    }
    if (!ended) draw();
  };
  stream.onerror = () => {
    if (!ended && stream.readyState === EventSource.CLOSED) window.location.reload();
    else if (!ended) say(data.lost);
  };
  window.setInterval(() => ended || draw(), 500);
  draw();

  // A notification only for what was asked for; the box appears where the browser can do it.
  if ("Notification" in window && window.isSecureContext && Notification.permission !== "denied") {
    $("n-tell-label").hidden = false;
    $("n-tell").addEventListener("change", async ({ target }) => {
      if (target.checked && (await Notification.requestPermission()) !== "granted") target.checked = false;
    });
  }
})();
