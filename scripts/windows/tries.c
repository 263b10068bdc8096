/*
 * What no shell can do to a program on Windows, for scripts/windows.sh:
 *
 *   tries event NUMBER PROGRAM [ARGUMENT ...]
 *       Starts the program, waits for a line of its own input, tells the program what a console would tell it,
 *       and ends with the program's exit code. 0 is Ctrl-C, 1 Ctrl-Break, 2 the window's close button,
 *       5 the user logs off, 6 the system shuts down.
 *   tries half PROGRAM [ARGUMENT ...]
 *       Each U+FFFD in the arguments becomes half of a surrogate pair, which is no letter.
 *   tries console PROGRAM [ARGUMENT ...]
 *       Runs the program in our console, with our own output in a file. Prints the console's mode ("escapes on" or "escapes off"),
 *       and what is on the screen when the program has ended, or when a line of its own input comes.
 */
#include <windows.h>
#include <stdio.h>
#include <stdlib.h>

#define LIMIT 60000 /* milliseconds that a program may take to end */

static void fail(const char *what)
{
    fprintf(stderr, "tries: %s: error %lu\n", what, GetLastError());
    exit(200);
}

/* The command line behind our own first COUNT words, as it was typed. */
static WCHAR *rest(int count)
{
    WCHAR *at = GetCommandLineW();
    for (; count > 0; count--) {
        BOOL quoted = FALSE;
        for (; *at && (quoted || *at != L' '); at++)
            if (*at == L'"')
                quoted = !quoted;
        while (*at == L' ')
            at++;
    }
    return at;
}

static PROCESS_INFORMATION start(WCHAR *command, HANDLE input, HANDLE output)
{
    STARTUPINFOW how = { .cb = sizeof(how), .dwFlags = STARTF_USESTDHANDLES };
    PROCESS_INFORMATION process;
    how.hStdInput = input;
    how.hStdOutput = output ? output : GetStdHandle(STD_OUTPUT_HANDLE);
    how.hStdError = output ? output : GetStdHandle(STD_ERROR_HANDLE);
    if (!CreateProcessW(NULL, command, NULL, NULL, TRUE, 0, NULL, NULL, &how, &process))
        fail("the program cannot be started");
    return process;
}

static HANDLE open_device(const WCHAR *name)
{
    SECURITY_ATTRIBUTES inherited = { sizeof(inherited), NULL, TRUE };
    HANDLE device = CreateFileW(name, GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE, &inherited,
                                OPEN_EXISTING, 0, NULL);
    if (device == INVALID_HANDLE_VALUE)
        fail("a device cannot be opened");
    return device;
}

/* Waits for a line, or for the end of the input; whether there was a line. */
static BOOL await_line(void)
{
    int letter;
    do
        letter = getchar();
    while (letter != EOF && letter != '\n');
    return letter == '\n';
}

/* The program's exit code; it ends before the limit, or it is ended. */
static int end_of(HANDLE process)
{
    DWORD code = 201;
    if (WaitForSingleObject(process, LIMIT) != WAIT_OBJECT_0) {
        fprintf(stderr, "tries: the program does not end\n");
        TerminateProcess(process, code);
    }
    WaitForSingleObject(process, LIMIT);
    GetExitCodeProcess(process, &code);
    return (int)code;
}

/* Windows tells a program by a thread that it starts in it, with this routine. */
static int event(UINT_PTR number, WCHAR *command)
{
    PROCESS_INFORMATION process = start(command, open_device(L"NUL"), NULL);
    FARPROC routine = GetProcAddress(GetModuleHandleW(L"kernelbase.dll"), "CtrlRoutine");
    await_line();
    if (!routine ||
        !CreateRemoteThread(process.hProcess, NULL, 0, (LPTHREAD_START_ROUTINE)(void *)routine, (void *)number, 0, NULL))
        fail("the program cannot be told");
    return end_of(process.hProcess);
}

static int half(WCHAR *command)
{
    for (WCHAR *at = command; *at; at++)
        if (*at == 0xFFFD)
            *at = 0xD800;
    return end_of(start(command, open_device(L"NUL"), NULL).hProcess);
}

static DWORD WINAPI until_a_line(void *unused)
{
    (void)unused;
    if (!await_line())
        Sleep(INFINITE);
    return 0;
}

static int console(WCHAR *command)
{
    HANDLE said = GetStdHandle(STD_OUTPUT_HANDLE), screen, ends[2];
    PROCESS_INFORMATION process;
    CONSOLE_SCREEN_BUFFER_INFO size;
    WCHAR row[256];
    char text[1024];
    DWORD mode = 0, count, written;

    ends[1] = CreateThread(NULL, 0, until_a_line, NULL, 0, NULL);
    screen = open_device(L"CONOUT$");
    process = start(command, open_device(L"CONIN$"), screen);
    ends[0] = process.hProcess;
    WaitForMultipleObjects(2, ends, FALSE, LIMIT);
    if (!GetConsoleMode(screen, &mode) || !GetConsoleScreenBufferInfo(screen, &size))
        fail("the console cannot be read");
    count = (DWORD)sprintf(text, "escapes %s\n", mode & ENABLE_VIRTUAL_TERMINAL_PROCESSING ? "on" : "off");
    WriteFile(said, text, count, &written, NULL);
    for (COORD at = { 0, 0 }; at.Y <= size.dwCursorPosition.Y; at.Y++) {
        DWORD width = size.dwSize.X < 256 ? (DWORD)size.dwSize.X : 256;
        if (!ReadConsoleOutputCharacterW(screen, row, width, at, &count))
            fail("the console cannot be read");
        while (count > 0 && row[count - 1] == L' ')
            count--;
        count = (DWORD)WideCharToMultiByte(CP_UTF8, 0, row, (int)count, text, sizeof(text) - 1, NULL, NULL);
        text[count++] = '\n';
        WriteFile(said, text, count, &written, NULL);
    }
    TerminateProcess(process.hProcess, 0);
    return 0;
}

int wmain(int count, WCHAR **words)
{
    if (count > 3 && !wcscmp(words[1], L"event"))
        return event((UINT_PTR)_wtoi(words[2]), rest(3));
    if (count > 2 && !wcscmp(words[1], L"half"))
        return half(rest(2));
    if (count > 2 && !wcscmp(words[1], L"console"))
        return console(rest(2));
    fprintf(stderr, "What it does stands at the top of its source.\n");
    return 202;
}
