// Decodes frames with npm's lora-packet. In: a list of {kind, raw, nwk, app, root, nonce}, hex;
// out: a list of what it makes of them.
"use strict";
var lora = require("lora-packet");
lora = lora.default || lora;

function bytes(hex) {
  return Buffer.from(hex, "hex");
}

function hex(buffer) {
  return buffer ? buffer.toString("hex") : "";
}

function joinAccept(frame) {
  var root = bytes(frame.root);
  var clear = lora.fromWire(lora.decryptJoinAccept(lora.fromWire(bytes(frame.raw)), root));
  var keys = lora.generateSessionKeys10(root, clear.NetID, clear.AppNonce, bytes(frame.nonce));
  return {
    mic: lora.verifyMIC(clear, undefined, root),
    addr: hex(clear.DevAddr),
    nwk: hex(keys.NwkSKey),
    app: hex(keys.AppSKey)
  };
}

function joinRequest(frame) {
  var packet = lora.fromWire(bytes(frame.raw));
  return { mic: lora.verifyMIC(packet, undefined, bytes(frame.root)), nonce: hex(packet.DevNonce) };
}

function data(frame) {
  var packet = lora.fromWire(bytes(frame.raw));
  var port = packet.getFPort();
  return {
    mic: lora.verifyMIC(packet, bytes(frame.nwk)),
    addr: hex(packet.DevAddr),
    fcnt: packet.getFCnt(),
    port: port,
    options: hex(packet.FOpts),
    text: port === null ? "" : hex(lora.decrypt(packet, bytes(frame.app), bytes(frame.nwk)))
  };
}

var input = JSON.parse(require("fs").readFileSync(0, "utf8"));
var decode = [joinRequest, joinAccept, data, data, data, data];
console.log(JSON.stringify(input.map(function (frame) { return decode[frame.kind](frame); })));
