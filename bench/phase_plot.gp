# phase_plot.gp - figures from the CSV files of `ntmm_pool_bench --plot FOLDER`.
#
#     gnuplot -e "folder='...'; test='drift'; allocators='ntmm-classic jemalloc'; format='svg'" phase_plot.gp
#
# Writes TEST.memory into folder, as svg or png: what was live and what each allocator held for it; below, the one over the other.
set encoding utf8
set datafile separator ','
set datafile missing ''
count = words(allocators)
file(i) = sprintf('%s/%s.%s.memory.csv', folder, test, word(allocators, i))
MIB = 1048576.0

if (format eq 'png') {
    set terminal pngcairo size 1000,760 enhanced font 'sans,11'
} else {
    set terminal svg size 1000,760 dynamic enhanced font 'sans,13' background '#ffffff'
}

# The colours of replay_plot.gp.
array COLOURS[6] = ['#d55e00', '#0072b2', '#009e73', '#cc79a7', '#56b4e9', '#e69f00']
names = 'ntmm-classic jemalloc mimalloc tcmalloc glibc ntmm-segment'
place(name) = sum [i=1:words(names)] (word(names, i) eq name ? i : 0)
colour(i) = place(word(allocators, i)) > 0 ? COLOURS[place(word(allocators, i))] : '#555555'
width(i) = word(allocators, i)[1:4] eq 'ntmm' ? 2.5 : 1.5

set style data lines
set grid ytics lc rgb '#dddddd'
set border 3
set tics nomirror out
set autoscale xfix
set output sprintf('%s/%s.memory.%s', folder, test, format)
set multiplot layout 2,1 margins 0.10,0.97,0.09,0.93 spacing 0.12
set key top left reverse Left samplen 2 noenhanced
set title sprintf('%s: memory held for what is live', test) noenhanced
set ylabel 'MiB'
set format x ''
set yrange [0:*]
plot file(1) every ::1 using ($2/MIB):($3/MIB) with filledcurves y1=0 lc rgb '#e4e4e4' title 'live: asked for', \
     for [i=1:count] file(i) every ::1 using ($2/MIB):($4/MIB) lw width(i) lc rgb colour(i) title word(allocators, i)
set title 'how much is held for a byte that is live (logarithmic)'
set ylabel 'committed / live'
set xlabel 'MiB asked for so far; frees do not move to the right'
set format x '%g'
set logscale y
set yrange [1:100] # while everything is freed again the ratio grows without bound
plot for [i=1:count] file(i) every ::1 using ($2/MIB):5 lw width(i) lc rgb colour(i) notitle
unset multiplot
