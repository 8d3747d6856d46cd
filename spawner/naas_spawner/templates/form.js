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
    if (!slug) return;
    forbid(slug);
    for (const own of all('[name^="custom_image:"]')) own.disabled = own.closest(".n-field").querySelector("select").value !== "";
    for (const summary of all(`.n-sum[data-profile="${CSS.escape(slug)}"] [data-sum]`)) {
      const parts = summary.dataset.sum.split(" ").flatMap((name) => labels(slug, name));
      summary.textContent = parts.join(", ") || "–";
    }
  }

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
