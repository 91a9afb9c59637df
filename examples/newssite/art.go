package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
)

// The pictures of articles are drawn: by their section and id, the same every
// time, in a few kilobytes.
const artWidth, artHeight = 640, 400

// palette is the colors of one picture: from the sky down, and one to catch
// the eye.
type palette struct{ sky, far, near, ground, accent string }

var palettes = []palette{
	{"#e9e2d0", "#b9c4c2", "#6f8a8f", "#2f4a55", "#b5482f"},
	{"#f0e4d3", "#d9b99b", "#a67f66", "#4a3b39", "#3f6f73"},
	{"#dfe6e6", "#a9bcc4", "#62808f", "#26384a", "#c98a2b"},
	{"#ece7dc", "#c3c6a8", "#85916d", "#3c4a38", "#a6403a"},
	{"#e6dfe4", "#b7a8b8", "#7d6c86", "#3a3148", "#d0a03c"},
}

// canvas gathers the shapes of a picture.
type canvas struct {
	strings.Builder
	palette
	rnd *rand.Rand
}

// between returns a random number.
func (c *canvas) between(from, to int) int { return from + c.rnd.IntN(to-from+1) }

func (c *canvas) rect(x, y, w, h int, fill string) {
	fmt.Fprintf(c, `<path fill="%s" d="M%d %dh%dv%dh%dz"/>`, fill, x, y, w, h, -w)
}

func (c *canvas) circle(x, y, r int, fill string) {
	fmt.Fprintf(c, `<circle cx="%d" cy="%d" r="%d" fill="%s"/>`, x, y, r, fill)
}

// poly draws a filled polygon through points x, y.
func (c *canvas) poly(fill string, points ...int) {
	fmt.Fprintf(c, `<path fill="%s" d="M%d %d`, fill, points[0], points[1])
	for i := 2; i < len(points); i += 2 {
		fmt.Fprintf(c, "L%d %d", points[i], points[i+1])
	}
	c.WriteString(`z"/>`)
}

func (c *canvas) line(width int, stroke string, points ...int) {
	fmt.Fprintf(c, `<path fill="none" stroke="%s" stroke-width="%d" stroke-linecap="round" stroke-linejoin="round" d="M%d %d`,
		stroke, width, points[0], points[1])
	for i := 2; i < len(points); i += 2 {
		fmt.Fprintf(c, "L%d %d", points[i], points[i+1])
	}
	c.WriteString(`"/>`)
}

// hills fills what is below a soft line around height y.
func (c *canvas) hills(y, swing int, fill string) {
	fmt.Fprintf(c, `<path fill="%s" d="M0 %d`, fill, y+c.between(-swing, swing))
	for x := 160; x <= artWidth; x += 160 {
		fmt.Fprintf(c, "Q%d %d %d %d", x-80, y+c.between(-2*swing, 2*swing), x, y+c.between(-swing, swing))
	}
	fmt.Fprintf(c, `V%dH0z"/>`, artHeight)
}

// art returns the picture of an article as SVG.
func art(section string, id int64) []byte {
	rnd := rand.New(rand.NewPCG(uint64(id), 0xa27))
	c := &canvas{rnd: rnd, palette: palettes[rnd.IntN(len(palettes))]}
	fmt.Fprintf(c, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%[1]d" height="%[2]d">`, artWidth, artHeight)
	c.rect(0, 0, artWidth, artHeight, c.sky)
	scenes[section](c)
	c.WriteString("</svg>\n")
	return []byte(c.String())
}

var scenes = map[string]func(*canvas){
	"town": (*canvas).town, "harbor": (*canvas).harbor, "politics": (*canvas).politics, "business": (*canvas).business,
	"science": (*canvas).science, "culture": (*canvas).culture, "sports": (*canvas).sports, "weather": (*canvas).weather,
}

// sun, or moon, somewhere in the sky.
func (c *canvas) sun() { c.circle(c.between(80, 560), c.between(60, 130), c.between(26, 46), c.accent) }

func (c *canvas) town() {
	c.sun()
	c.hills(210, 20, c.far)
	for row, fill := range []string{c.near, c.ground} {
		for x := -c.between(0, 50); x < artWidth; {
			w, top := c.between(50, 96), 330-60*(1-row)-c.between(20, 90)
			c.rect(x, top, w, artHeight-top, fill)
			c.poly(fill, x-4, top, x+w/2, top-c.between(24, 46), x+w+4, top)
			if row == 1 {
				for wx := x + 12; wx < x+w-16; wx += 24 {
					glass := c.sky
					if c.between(0, 6) == 0 {
						glass = c.accent
					}
					c.rect(wx, top+16, 10, 14, glass)
				}
			}
			x += w + c.between(0, 10)
		}
	}
}

func (c *canvas) ship(x, y, size int) {
	c.poly(c.ground, x-2*size, y, x+2*size, y, x+3*size/2, y+size*2/3, x-3*size/2, y+size*2/3)
	if c.between(0, 1) == 0 { // under sail
		c.poly(c.sky, x+size/8, y-4, x+size/8, y-3*size, x+3*size/2, y-4)
		c.poly(c.accent, x-size/8, y-4, x-size/8, y-5*size/2, x-5*size/4, y-4)
		return
	}
	c.rect(x-size, y-size*2/3, size*3/2, size*2/3, c.sky)
	c.rect(x-size/3, y-3*size/2, size/2, size*5/6, c.accent)
}

func (c *canvas) harbor() {
	c.sun()
	c.hills(200, 14, c.far)
	c.rect(0, 230, artWidth, 170, c.near)
	for range 9 {
		x, y := c.between(0, 600), c.between(250, 385)
		c.line(3, c.far, x, y, x+c.between(20, 70), y)
	}
	if c.between(0, 1) == 0 { // the lighthouse
		x := c.between(60, 560)
		c.poly(c.ground, x-40, 245, x+40, 245, x+60, 270, x-60, 270)
		c.poly("#fff", x-12, 246, x+12, 246, x+8, 130, x-8, 130)
		c.rect(x-10, 160, 20, 18, c.accent)
		c.rect(x-9, 116, 18, 16, c.ground)
	}
	for i := range c.between(1, 3) {
		c.ship(110+i*200+c.between(-40, 40), c.between(255, 330), c.between(22, 40))
	}
}

func (c *canvas) politics() {
	c.hills(250, 16, c.far)
	columns := c.between(4, 7)
	w := columns*56 + 20
	x := (artWidth - w) / 2
	c.poly(c.ground, x-24, 170, artWidth/2, 80, x+w+24, 170)
	c.circle(artWidth/2, 138, 16, c.accent)
	c.rect(x-14, 170, w+28, 22, c.ground)
	for i := range columns {
		c.rect(x+20+i*56, 192, 36, 130, c.near)
		c.rect(x+28+i*56, 192, 6, 130, c.far)
	}
	for i := range 4 {
		c.rect(x-20-14*i, 322+20*i, w+40+28*i, 20, []string{c.ground, c.near}[i%2])
	}
	for range c.between(5, 12) { // people on the steps
		px, py := c.between(x-30, x+w+30), c.between(340, 372)
		c.rect(px-5, py, 10, 24, c.accent)
		c.circle(px, py-6, 6, c.ground)
	}
}

func (c *canvas) business() {
	c.hills(260, 24, c.far)
	bars, x := c.between(6, 9), 60
	step := 520 / bars
	height := c.between(50, 90)
	var curve []int
	for i := range bars {
		height = max(36, height+c.between(-26, 44))
		c.rect(x+i*step, 350-height, step*2/3, height, []string{c.near, c.ground}[i%2])
		curve = append(curve, x+i*step+step/3, 320-height)
	}
	c.line(7, c.accent, curve...)
	for i := 0; i < len(curve); i += 2 {
		c.circle(curve[i], curve[i+1], 9, c.accent)
	}
	c.rect(40, 350, 560, 6, c.ground)
}

func (c *canvas) science() {
	c.rect(0, 0, artWidth, artHeight, c.ground)
	for range 24 {
		c.circle(c.between(0, artWidth), c.between(0, artHeight), c.between(1, 3), c.sky)
	}
	x, y := c.between(220, 420), c.between(160, 240)
	for i := range c.between(2, 4) {
		r := 80 + 52*i
		tilt := c.between(-40, 40)
		fmt.Fprintf(c, `<ellipse cx="%d" cy="%d" rx="%d" ry="%d" fill="none" stroke="%s" stroke-width="2" transform="rotate(%d %[1]d %[2]d)"/>`,
			x, y, r, r/2, c.far, tilt)
		angle, turn := c.rnd.Float64()*2*math.Pi, float64(tilt)*math.Pi/180
		px, py := float64(r)*math.Cos(angle), float64(r)/2*math.Sin(angle)
		c.circle(x+int(px*math.Cos(turn)-py*math.Sin(turn)), y+int(px*math.Sin(turn)+py*math.Cos(turn)), c.between(8, 18), c.near)
	}
	c.circle(x, y, c.between(30, 46), c.accent)
}

func (c *canvas) culture() {
	c.rect(0, 0, artWidth, artHeight, c.ground)
	left, right := c.between(180, 280), c.between(360, 460)
	c.poly(c.far, left, 0, right, 0, artWidth-60, artHeight, 60, artHeight) // the light
	c.rect(0, 330, artWidth, 70, c.near)
	for i := range 5 { // curtains
		for _, x := range []int{i * 30, artWidth - 30 - i*30} {
			c.rect(x, 0, 30, 360-i*i*10, []string{c.accent, c.ground}[i%2])
		}
	}
	for range c.between(2, 5) { // players
		x, h := c.between(190, 450), c.between(70, 120)
		c.poly(c.ground, x, 350-h, x+26, 350, x-26, 350)
		c.circle(x, 342-h, 15, c.sky)
	}
}

func (c *canvas) sports() {
	c.rect(0, 0, artWidth, artHeight, c.near)
	for i := 0; i < 8; i += 2 {
		c.rect(i*80, 0, 80, artHeight, c.far)
	}
	white := c.sky
	c.line(5, white, 30, 30, 610, 30, 610, 370, 30, 370, 30, 30)
	c.line(5, white, 320, 30, 320, 370)
	fmt.Fprintf(c, `<circle cx="320" cy="200" r="66" fill="none" stroke="%s" stroke-width="5"/>`, white)
	c.line(5, white, 30, 110, 120, 110, 120, 290, 30, 290)
	c.line(5, white, 610, 110, 520, 110, 520, 290, 610, 290)
	for i := range 14 {
		c.circle(c.between(60, 580), c.between(60, 340), 12, []string{c.ground, c.accent}[i%2])
	}
	c.circle(c.between(120, 520), c.between(90, 310), 8, "#fff")
}

func (c *canvas) weather() {
	c.sun()
	for range c.between(2, 4) {
		x, y := c.between(60, 480), c.between(60, 190)
		for i := range 4 {
			c.circle(x+i*34, y-c.between(0, 22), c.between(26, 44), c.far)
		}
		c.rect(x-20, y, 150, 34, c.far)
	}
	slant := c.between(-30, 10)
	for range c.between(0, 1) * 20 { // rain
		x, y := c.between(20, 620), c.between(190, 300)
		c.line(3, c.near, x, y, x+slant, y+28)
	}
	c.hills(310, 16, c.near)
	c.hills(350, 12, c.ground)
}
