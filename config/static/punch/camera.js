// The camera and the codes it sees. Reading is done by the vendored library `qr`.

import { decodeQR } from "../vendor/qr/decode.js";

const WIDEST = 640;
const PAUSE = 120;
let stream = null;

function reason(error) {
  if (error.name === "NotAllowedError") return "refused";
  return error.name === "NotFoundError" || error.name === "OverconstrainedError" ? "none" : "broken";
}

/** Starts the camera into a video element; rejects with the reason why not: insecure, none, refused, broken. */
export async function startCamera(video) {
  if (!navigator.mediaDevices?.getUserMedia) throw "insecure";
  try {
    stream = await navigator.mediaDevices.getUserMedia({
      video: { facingMode: "user", width: { ideal: 1280 } },
      audio: false,
    });
    video.srcObject = stream;
    await video.play();
  } catch (error) {
    throw reason(error);
  }
}

export function stopCamera() {
  for (const track of stream?.getTracks() ?? []) track.stop();
}

/** Tells `seen` each text that the video shows, except while `resting()`. */
export function watch(video, seen, resting) {
  const canvas = document.createElement("canvas");
  const picture = canvas.getContext("2d", { willReadFrequently: true });

  function look() {
    if (!resting() && video.videoWidth) {
      const text = read(video, canvas, picture);
      if (text) seen(text);
    }
    setTimeout(look, PAUSE);
  }
  look();
}

function read(video, canvas, picture) {
  const shrink = Math.min(1, WIDEST / video.videoWidth);
  canvas.width = Math.round(video.videoWidth * shrink);
  canvas.height = Math.round(video.videoHeight * shrink);
  picture.drawImage(video, 0, 0, canvas.width, canvas.height);
  try {
    return decodeQR(picture.getImageData(0, 0, canvas.width, canvas.height));
  } catch (nothing) {
    return null; // no code in this picture, which is the usual case
  }
}
