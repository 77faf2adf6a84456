# times.tsv to the table. A line is: set, packets, program, role, nanoseconds (or `error`).
# Variables: format (text, markdown, json), kernel, processor, compiler, command.

BEGIN {
    FS = "\t"
    titles["stateless"] = "Stateless"
    titles["flows"] = "With a connection table, by number of flows"
    titles["vips"] = "By number of VIPs"
}

{
    group = $1 FS $2
    row = group FS $3
    if (!(row in count)) {
        rows[++number_of_rows] = row
        count[row] = 0
        if ($4 != "other")
            row_of[group, $4] = row
    }
    if ($5 != "error")
        times[row, ++count[row]] = $5
}

# The times of a row in order; gives back the median.
function median(row,    n, i, k, t) {
    n = count[row]
    for (i = 2; i <= n; i++) {
        t = times[row, i]
        for (k = i; k > 1 && times[row, k - 1] + 0 > t + 0; k--)
            times[row, k] = times[row, k - 1]
        times[row, k] = t
    }
    return (times[row, int((n + 1) / 2)] + times[row, int(n / 2) + 1]) / 2
}

# How far the median is over that of the floor; "" where there is nothing to compare.
function over(row, group,    floor) {
    floor = row_of[group, "floor"]
    return row == floor || !count[row] || !count[floor] ? "" : middle[row] - middle[floor]
}

function shown(value, digits) {
    return value == "" ? "-" : sprintf("%." digits "f", value)
}

function json(value, digits) {
    return value == "" ? "null" : sprintf("%." digits "f", value)
}

function quoted(text) {
    gsub(/[\\"]/, "\\\\&", text)
    return "\"" text "\""
}

function print_head(title) {
    if (format == "markdown") {
        printf "\n### %s\n\n", title
        print "| packets | program | min ns | median ns | over the floor | ratio |"
        print "|---|---|---:|---:|---:|---:|"
    } else if (format == "text") {
        printf "\n%s\n", title
        printf line, "packets", "program", "min ns", "median ns", "over the floor", "ratio"
    }
}

function print_row(name, min, mid, above, ratio) {
    if (format == "json") {
        printf "%s\n    {\"set\": %s, \"packets\": %s, \"program\": %s, ", separator,
            quoted(name[1]), quoted(name[2]), quoted(name[3])
        printf "\"min_ns\": %s, \"median_ns\": %s, \"over_the_floor_ns\": %s, \"ratio\": %s}",
            json(min, 2), json(mid, 2), json(above, 2), json(ratio, 3)
        separator = ","
        return
    }
    printf line, name[2], name[3], shown(min, 1), shown(mid, 1), shown(above, 1), shown(ratio, 2)
}

END {
    line = format == "markdown" ? "| %s | %s | %s | %s | %s | %s |\n" : "%-13s %-29s %9s %10s %15s %6s\n"
    if (format == "json") {
        printf "{\n  \"version\": 1,\n  \"system\": %s,\n  \"processor\": %s,\n", quoted(kernel), quoted(processor)
        printf "  \"compiler\": %s,\n  \"command\": %s,\n  \"results\": [", quoted(compiler), quoted(command)
    } else if (format == "markdown") {
        printf "%s; %s; %s.\n\n```sh\n%s\n```\n", kernel, processor, compiler, command
    } else {
        printf "%s\n%s\n%s\n%s\n", kernel, processor, compiler, command
    }

    for (i = 1; i <= number_of_rows; i++)
        middle[rows[i]] = count[rows[i]] ? median(rows[i]) : ""
    for (i = 1; i <= number_of_rows; i++) {
        row = rows[i]
        split(row, name, FS)
        group = name[1] FS name[2]
        if (name[1] != set) {
            set = name[1]
            print_head(titles[set])
        }
        base = row_of[group, "base"]
        above = over(row, group)
        of_base = over(base, group)
        ratio = above == "" || of_base == "" || of_base <= 0 ? "" : above / of_base
        print_row(name, count[row] ? times[row, 1] : "", middle[row], above, ratio)
    }
    if (format == "json")
        print "\n  ]\n}"
}
