"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const choices = [...data.labels, data.unusable];
const place = (clip) => `reelflow ${data.sheet} ${clip.clip}`;
let current = 0;

function make(name, text, parent) {
  const element = document.createElement(name);
  element.textContent = text;
  parent.append(element);
  return element;
}

// What was picked, unless labels.csv says something else since then.
function kept(clip) {
  try {
    const [given, picked] = JSON.parse(localStorage.getItem(place(clip)));
    return given === clip.given && ["", ...choices].includes(picked) ? picked : clip.given;
  } catch {
    return clip.given; // nothing is kept, or this browser keeps nothing for files
  }
}

function keep(clip) {
  try {
    localStorage.setItem(place(clip), JSON.stringify([clip.given, clip.label]));
  } catch {
    // the label is lost when the page is closed without saving
  }
}

function show(clip) {
  for (const button of clip.buttons) {
    button.setAttribute("aria-pressed", String(button.value === clip.label));
  }
  const done = data.clips.filter((one) => one.label).length;
  document.getElementById("progress").textContent = `${done} of ${data.clips.length} clips have a label`;
}

function label(clip, chosen) {
  clip.label = chosen;
  keep(clip);
  show(clip);
}

function go(number) {
  current = Math.max(0, Math.min(data.clips.length - 1, number));
  data.clips.forEach((clip, place) => clip.article.setAttribute("aria-current", String(place === current)));
  data.clips[current]?.article.scrollIntoView({ block: "nearest" });
}

function play(clip) {
  if (clip.video) {
    if (clip.video.paused) clip.video.play(); else clip.video.pause();
    return;
  }
  clip.video = document.createElement("video");
  clip.video.src = `${data.folder}/${encodeURIComponent(clip.clip)}`;
  clip.video.controls = clip.video.loop = clip.video.muted = clip.video.autoplay = true;
  clip.video.onerror = () => {
    clip.video.replaceWith(clip.picture);
    clip.video = null;
    document.getElementById("told").textContent = `${clip.clip} cannot be played: it is not beside this page, or this browser does not know its format.`;
  };
  clip.picture.replaceWith(clip.video);
}

function add(clip, number) {
  clip.given = clip.label;
  clip.label = kept(clip);
  clip.article = document.createElement("article");
  make("h2", clip.clip, clip.article);
  clip.picture = make("img", "", clip.article);
  clip.picture.src = `data:image/jpeg;base64,${clip.strip}`;
  clip.picture.alt = `Frames of ${clip.clip}`;
  clip.picture.title = "Play";
  clip.picture.onclick = () => play(clip);
  const facts = [clip.camera, clip.began_at, `${clip.duration_s} s`];
  if (clip.best_guess) facts.push(`best guess ${clip.best_guess} ${clip.score}`);
  make("p", facts.filter(Boolean).join(" · "), clip.article);
  const row = make("div", "", clip.article);
  row.className = "choices";
  clip.buttons = choices.map((one) => {
    const button = make("button", one, row);
    button.type = "button";
    button.value = one;
    button.onclick = (event) => {
      label(clip, clip.label === one ? "" : one);
      go(number);
      if (event.detail) button.blur(); // by mouse: the space key plays again
    };
    return button;
  });
  document.getElementById("clips").append(clip.article);
  show(clip);
}

function csv() {
  const quoted = (text) => (/[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const harmless = (text) => (/^[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]/.test(text) ? `'${text}` : text); // a spreadsheet would compute it
  const row = (clip) => data.columns.map((column) => {
    const text = String(clip[column]);
    return quoted(column === "label" ? text : harmless(text));
  });
  return [data.columns, ...data.clips.map(row)].map((cells) => `${cells.join(",")}\n`).join("");
}

function save() {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([csv()], { type: "text/csv" }));
  link.download = "labels.csv";
  link.click();
  document.getElementById("told").textContent = "Put the file into the folder of this page, in place of the old one.";
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || !data.clips.length) return;
  if (event.key === " " && event.target instanceof HTMLButtonElement) return; // it is pressed
  const clip = data.clips[current];
  const number = Number(event.key);
  if (event.key === "ArrowDown") go(current + 1);
  else if (event.key === "ArrowUp") go(current - 1);
  else if (event.key === " ") play(clip);
  else if (event.key === "u" || (number >= 1 && number <= Math.min(9, data.labels.length))) {
    label(clip, event.key === "u" ? data.unusable : data.labels[number - 1]);
    go(current + 1);
  } else if (event.key === "0") label(clip, "");
  else return;
  event.preventDefault();
});

data.clips.forEach(add);
data.labels.slice(0, 9).forEach((one) => make("li", one, document.getElementById("labels")));
document.getElementById("save").onclick = save;
go(0);
