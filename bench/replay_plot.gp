# replay_plot.gp - figures from the CSV files of `ntmm replay --plot FOLDER`.
#
#     gnuplot -e "folder='...'; trace='build'; allocators='ntmm-classic jemalloc'; format='svg'" replay_plot.gp
#
# Writes into folder, as svg or png:
#     TRACE.memory    what was live and what each allocator held for it, over the trace; below, the share of it that no live block used
#     TRACE.latency   processor time and quantiles of single operations, a group of bars for each allocator
set encoding utf8
set datafile separator ','
set datafile missing ''
count = words(allocators)
file(what) = sprintf('%s/%s.%s.csv', folder, trace, what)
MIB = 1048576.0

if (format eq 'png') {
    set terminal pngcairo size 1000,760 enhanced font 'sans,11'
} else {
    set terminal svg size 1000,760 dynamic enhanced font 'sans,13' background '#ffffff'
}

# The same colour for the same allocator in every figure; told apart without colour vision (Okabe and Ito).
array COLOURS[6] = ['#d55e00', '#0072b2', '#009e73', '#cc79a7', '#56b4e9', '#e69f00']
names = 'ntmm-classic jemalloc mimalloc tcmalloc glibc ntmm-segment'
place(name) = sum [i=1:words(names)] (word(names, i) eq name ? i : 0)
colour(name) = place(name) > 0 ? COLOURS[place(name)] : '#555555'
width(name) = name[1:4] eq 'ntmm' ? 2.5 : 1.5

# How far the axes reach; asked before any range is set, because a range hides points from `stats`.
largest(name, column) = sprintf("stats '%s' every ::1 using %d nooutput", file(name), column)
eval largest(word(allocators, 1), 1)
operations = STATS_max
eval largest('latency', 2)
tallest = STATS_max
eval largest('latency', 3)
tallest = STATS_max > tallest ? STATS_max : tallest
eval largest('latency', 6)
slowest = STATS_max

set style data lines
set grid ytics lc rgb '#dddddd'
set border 3
set tics nomirror out

# ---- memory ----
set output sprintf('%s/%s.memory.%s', folder, trace, format)
set xrange [0:operations]
set multiplot layout 2,1 margins 0.10,0.97,0.09,0.93 spacing 0.12
set key top left reverse Left samplen 2 noenhanced
set title sprintf('%s: memory held for what is live', trace) noenhanced
set ylabel 'MiB'
set format x ''
set yrange [0:*]
plot file(word(allocators, 1)) every ::1 using 1:($2/MIB) with filledcurves y1=0 lc rgb '#e4e4e4' title 'live: asked for', \
     for [i=1:count] file(word(allocators, i)) every ::1 using 1:($4/MIB) lw width(word(allocators, i)) lc rgb colour(word(allocators, i)) title word(allocators, i)
set title 'external fragmentation: share of the held memory that is in no live block'
set ylabel '1 - allotted / committed'
set xlabel 'operations'
set format x '%.0s%c'
set yrange [0:1]
set key top right noreverse Right
plot for [i=1:count] file(word(allocators, i)) every ::1 using 1:5 lw width(word(allocators, i)) lc rgb colour(word(allocators, i)) title word(allocators, i)
unset multiplot
unset output

# ---- latency ----
set output sprintf('%s/%s.latency.%s', folder, trace, format)
unset xlabel
set format x '%s'
set multiplot layout 2,1 margins 0.10,0.97,0.08,0.93 spacing 0.14
set style data histograms
set style histogram clustered gap 1
set style fill solid 0.85 noborder
set boxwidth 0.9
set xtics noenhanced
set key off
set title sprintf('%s: processor time of an operation, all operations together; pale: played again, on pages the host has given', trace) noenhanced
set ylabel 'ns'
set yrange [0:tallest * 1.12] # room for the figures
set xrange [-0.6:count-0.4]
set key top right noreverse Right
plot for [i=1:count] file('latency') every ::i::i using (i-1.2):2:(0.36) with boxes lc rgb colour(word(allocators, i)) notitle, \
     for [i=1:count] file('latency') every ::i::i using (i-0.8):3:(0.36) with boxes fs solid 0.4 lc rgb colour(word(allocators, i)) notitle, \
     file('latency') every ::1 using ($0-0.2):2:(sprintf('%.1f', $2)) with labels offset 0,0.6 notitle, \
     file('latency') every ::1 using ($0+0.2):3:(sprintf('%.1f', $3)) with labels offset 0,0.6 notitle, \
     file('latency') every ::1 using 0:(0):xtic(1) with points ps 0 notitle
set title sprintf('%s: single operations, timed one by one (logarithmic)', trace) noenhanced
set key top left reverse Left horizontal
set logscale y
set yrange [10:slowest * 8] # room for the key
set xrange [-0.6:count-0.4]
plot file('latency') every ::1 using 4:xtic(1) lc rgb '#9ecae1' title 'median', \
     '' every ::1 using 5 lc rgb '#4292c6' title '99 %', \
     '' every ::1 using 6 lc rgb '#084594' title '99.9 %'
unset multiplot
unset output
