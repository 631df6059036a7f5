// FFmpeg's functions under their own names, loaded when the first of them is called.
//
// Debian's libavcodec brings more than a hundred other libraries with it; loading them takes two thirds of the time that the program
// needs to start. A run that finds its output locked, or nothing to do, needs none of them. Whoever links this target declares the
// functions with FFmpeg's own headers and needs to know nothing else.
#ifndef WADE_FFMPEG_ON_DEMAND_H
#define WADE_FFMPEG_ON_DEMAND_H

// Loads the libraries if that has not been done; NULL, or a sentence that says why they cannot be loaded.
const char *ffmpeg_load(void);

#endif
