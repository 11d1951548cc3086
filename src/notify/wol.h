#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Wake-on-LAN: the magic packet, by UDP. A host that halted but never lost power does not start by
 * itself when the mains return. When to send is not decided here. Needs no privilege.
 *
 * The packet: six bytes 0xff, the MAC address sixteen times, and the SecureOn password of the card
 * if it has one (AMD, "Magic Packet Technology", publication 20213). UDP is only its envelope: the
 * card looks for the pattern anywhere in a frame. Port 9 (discard) is the custom.
 */
enum {
	WOL_MAC_LEN = 6,
	WOL_PASSWORD_MAX = 6,
	WOL_PACKET_LEN = 102, /* without a password */
	WOL_PACKET_MAX = WOL_PACKET_LEN + WOL_PASSWORD_MAX,
	WOL_PORT = 9,
};

struct wol_host {
	uint8_t mac[WOL_MAC_LEN];
	uint8_t password[WOL_PASSWORD_MAX];
	uint8_t password_len; /* 0, 4 or 6 */
};

/* Which way. Strings are borrowed for the call. */
struct wol_route {
	/* A broadcast (or any other) address, IPv4 or IPv6, as a number, never a name.
	 * NULL: the broadcast address of each interface. */
	const char *address;
	const char *interface; /* NULL: every one that is up, can broadcast and is not loopback */
	uint16_t port;	       /* 0: WOL_PORT */
};

/**
 * "00:11:22:aa:bb:cc", with ':' or '-' throughout, "0011.22aa.bbcc", or "001122aabbcc".
 *
 * Returns false with why = what is wrong and what would be right (two sentences without the last
 * full stop); mac is then not touched. All zero, and addresses of groups (bit 0 of the first byte
 * set), belong to no card.
 */
bool wol_parse_mac(const char *text, uint8_t mac[WOL_MAC_LEN], char *why, size_t size);

/** A SecureOn password: six bytes written like a MAC address, or four like an IPv4 address. */
bool wol_parse_password(const char *text, struct wol_host *host, char *why, size_t size);

/** The packet. Returns its length. */
size_t wol_packet(const struct wol_host *host, uint8_t packet[WOL_PACKET_MAX]);

/**
 * Send it once. Nothing blocks: an address is a number, and a full socket buffer is an error.
 *
 * Returns how many packets went out (one per interface); 0 with the reason in error, a sentence
 * without a full stop. That it went out says nothing about the host: look whether it comes up.
 */
unsigned wol_send(const struct wol_host *host, const struct wol_route *route, char *error,
		  size_t error_size);
