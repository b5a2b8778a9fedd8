/* SPDX-License-Identifier: Apache-2.0 */
/* The debugger's or emulator's services, as ARM's semihosting defines them. */
#ifndef SEMIHOSTING_H
#define SEMIHOSTING_H

/* Prints a text. */
void host_print(const char *text);

/* Prints a number in decimal digits. */
void host_print_number(int number);

/* Ends the emulation: exit status 0 if `ok`, 1 otherwise. */
void host_exit(int ok) __attribute__((noreturn));

#endif /* SEMIHOSTING_H */
