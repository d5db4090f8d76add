local function f(c) return (c:gsub(".", f)) end return ("abc"):gsub(".", f)
