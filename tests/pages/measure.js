// Measures the page it stands in and writes what it finds, as JSON, into the page around it.
addEventListener("load", () => {
  const style = (element) => getComputedStyle(element).overflowX;
  const scrolls = (element) =>
    element && element !== document.body && element !== document.documentElement &&
    (["auto", "scroll"].includes(style(element)) || scrolls(element.parentElement));
  const box = (element) => {
    const place = element.getBoundingClientRect();
    const text = element.getAttribute("alt") || element.getAttribute("aria-label") || element.textContent;
    return {
      tag: element.tagName.toLowerCase(), text: text.trim().slice(0, 60), natural: element.naturalWidth ?? null,
      left: place.left, top: place.top + scrollY, width: place.width, height: place.height,
    };
  };
  const all = [...document.body.querySelectorAll("*")].filter((element) => element.tagName !== "SCRIPT");
  const outside = (element) => element.getBoundingClientRect().right > innerWidth + 1 && !scrolls(element);
  const empty = (heading) => !heading.nextElementSibling || /^H[12]$/.test(heading.nextElementSibling.tagName);
  const found = {
    width: innerWidth,
    scroll: document.documentElement.scrollWidth,
    height: document.documentElement.scrollHeight,
    scrolled: all.filter((element) => scrolls(element) && element.scrollWidth > element.clientWidth + 1).map(box),
    outside: all.filter(outside).map(box),
    panels: [...document.querySelectorAll("svg[role=img], img, table, figure")].map(box),
    empty: [...document.querySelectorAll("h2")].filter(empty).map(box),
    dark: matchMedia("(prefers-color-scheme: dark)").matches,
  };
  parent.document.getElementById("measured").textContent = JSON.stringify(found);
});
