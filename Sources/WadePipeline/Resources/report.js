// Filters, search, order, and pictures that are made when they come near. Without scripts the page is whole except for these.
"use strict";
(() => {
  const main = document.getElementById("clips");
  const clips = Array.from(main.children);
  const form = document.getElementById("tools");
  const shown = document.getElementById("shown");
  const nothing = document.getElementById("nothing");
  const level = document.getElementById("level");
  const field = (name) => form.elements.namedItem(name);
  form.hidden = false;

  // Pictures: an image's source is set when its clip comes near and taken away when it is far, so that only a few are decoded.
  const watcher = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      for (const image of entry.target.querySelectorAll("img")) {
        if (!entry.isIntersecting) image.removeAttribute("src");
        else if (!image.hasAttribute("src")) image.src = "data:image/jpeg;base64," + image.dataset.jpeg;
      }
    }
  }, { rootMargin: "1200px 0px" });
  for (const clip of clips) if (clip.querySelector("img")) watcher.observe(clip);

  // A clip's words, folded once.
  const fold = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  const words = new Map();
  const wordsOf = (clip) => {
    if (!words.has(clip)) words.set(clip, fold(clip.textContent));
    return words.get(clip);
  };

  const apply = () => {
    const statuses = new Set(Array.from(form.querySelectorAll("[name=status]:checked"), (box) => box.value));
    const most = Number(field("most").value);
    const wanted = fold(field("search").value).split(/\s+/).filter(Boolean);
    level.textContent = most < 1 ? most.toFixed(2) : "any";
    let count = 0;
    for (const clip of clips) {
      // A clip without a confidence is a failure: it stays while looking for what is unsure.
      const sure = clip.dataset.p === "" ? 0 : Number(clip.dataset.p);
      const fits = statuses.has(clip.dataset.status) && (most >= 1 || sure <= most)
        && wanted.every((word) => wordsOf(clip).includes(word));
      clip.hidden = !fits;
      if (fits) count += 1;
    }
    shown.textContent = count === clips.length ? `${count.toLocaleString("en")} clips`
      : `${count.toLocaleString("en")} of ${clips.length.toLocaleString("en")} clips`;
    nothing.hidden = count > 0;
  };

  const orders = {
    failures: (one, other) => one.dataset.n - other.dataset.n,
    file: (one, other) => one.dataset.file - other.dataset.file,
    unsure: (one, other) => (one.dataset.p || -1) - (other.dataset.p || -1) || one.dataset.n - other.dataset.n,
  };
  const arrange = () => {
    main.append(...clips.slice().sort(orders[field("order").value]));
  };

  let waiting = 0;
  form.addEventListener("input", (event) => {
    if (event.target.name === "order") return;
    clearTimeout(waiting);
    waiting = setTimeout(apply, event.target.name === "search" ? 120 : 0);
  });
  field("order").addEventListener("change", () => { arrange(); window.scrollTo({ top: form.offsetTop }); });
  form.addEventListener("submit", (event) => event.preventDefault());
  for (const button of document.querySelectorAll("button[data-search]")) {
    button.addEventListener("click", () => {
      field("search").value = button.dataset.search;
      apply();
      form.scrollIntoView();
    });
  }
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.target.matches("input, select, textarea")) return;
    event.preventDefault();
    field("search").focus();
  });
  apply();
})();
