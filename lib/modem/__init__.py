"""LoRaWAN over a serial modem: RAK3172 (RUI3), Seeed LoRa-E5, Microchip RN2483. See README.md."""

from modem.end_device import EndDevice as EndDevice
